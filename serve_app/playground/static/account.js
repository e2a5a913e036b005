// What an answer cost: visual tokens beside what native resolution would have, patches, and time.

import { byId, count, decimal, duration, element, percent } from "./dom.js";
import { encodedView, nameOf, zoomOf } from "./vision.js";

const STAGES = [
  ["texture", "Texture", "reads and measures the picture"],
  ["queue", "Queue", "waits for a slot"],
  ["probe", "Probe", "looks at the overview"],
  ["relevance", "Relevance", "chooses where to look"],
  ["prefill", "Prefill", "reads the question with all it sees"],
  ["decode", "Decode", "writes the answer"],
];
const WAYS = ["propositional", "perspectival", "participatory"];

/** Shows the account of `reply` about `picture`; `highlight` is told which patch is pointed at, or null. */
export function showAccount(reply, picture, side, highlight) {
  showTokens(reply);
  showPatches(reply, picture, side, highlight);
  showTime(reply.timings_ms);
  byId("account").hidden = false;
}

function showTokens({ total_visual_tokens: spent, native_visual_tokens: native, overview, patches, route }) {
  const whole = Math.max(spent, native);
  byId("tokens-sum").replaceChildren(
    element("strong", {}, count(spent)),
    route === "direct" ? " spent: the picture was seen whole"
      : ` spent, where native resolution costs ${count(native)}${timesFewer(native, spent)}`,
  );
  const first = { name: route === "direct" ? "Whole picture" : "Overview", tokens: overview.tokens, kind: "overview" };
  const closer = patches.map(({ tokens }, index) => ({ name: `Patch ${nameOf(index)}`, tokens, kind: "patch" }));
  const rest = { name: "Not spent", tokens: whole - spent, kind: "rest" };
  const parts = [first, ...closer, rest].filter(({ tokens }) => tokens > 0);
  byId("tokens-bar").replaceChildren(...parts.map(({ kind, tokens }) =>
    element("span", { class: kind, style: { width: percent(tokens, whole) } })));
  byId("tokens-key").replaceChildren(...parts.map(({ kind, name, tokens }) =>
    element("li", { class: kind }, `${name} `, element("b", {}, count(tokens)))));
}

const timesFewer = (native, spent) => (native > spent ? `: ${decimal(native / spent, 1)} times fewer` : "");

function showPatches(reply, { image }, side, highlight) {
  byId("patches-part").hidden = !reply.patches.length;
  byId("patches").replaceChildren(...reply.patches.map((patch, index) => {
    const view = encodedView(image, patch, reply, side);
    view.setAttribute("aria-hidden", "true");
    const button = element("button", { type: "button" }, view,
      element("span", { class: "unseen" }, `Show patch ${nameOf(index)} on the picture`));
    button.addEventListener("click", () => byId("stage").scrollIntoView({ block: "nearest" }));
    const item = element("li", {}, button, describePatch(patch, index, reply));
    for (const type of ["pointerenter", "focusin"]) item.addEventListener(type, () => highlight(index));
    for (const type of ["pointerleave", "focusout"]) item.addEventListener(type, () => highlight(null));
    return item;
  }));
}

function describePatch(patch, index, reply) {
  const [x0, y0, x1, y1] = patch.box;
  const level = `${patch.rows} × ${patch.cols} for ${count(x1 - x0)} × ${count(y1 - y0)} pixels`.replaceAll(" × ", "\u00a0×\u00a0");
  const closer = `${decimal(zoomOf(patch, reply), 1)} times closer than the overview`;
  const scores = WAYS.map((way) => [way, patch.scores[way]]);
  return element("div", {},
    element("p", {}, element("strong", {}, `${nameOf(index)} · ${count(patch.tokens)} tokens`)),
    element("p", { class: "note" }, level, element("br"), closer),
    element("dl", {}, ...[["relevance", patch.scores.relevance], ...scores].map(([name, value]) =>
      element("div", {}, element("dt", {}, name), meter(value), element("dd", {}, decimal(value))))));
}

const meter = (value) => element("span", { class: "meter", ariaHidden: "true" },
  element("span", { style: { width: percent(value, 1) } }));

/** `texture` comes before everything that `total` counts; the stages follow one another. */
function showTime(timings) {
  const whole = (timings.texture ?? 0) + timings.total;
  byId("time-sum").replaceChildren(
    element("strong", {}, duration(whole)),
    "first_token" in timings ? `, the first word after ${duration((timings.texture ?? 0) + timings.first_token)}` : "",
  );
  let start = 0;
  byId("stages").replaceChildren(...STAGES.filter(([stage]) => stage in timings).map(([stage, name, does]) => {
    const bar = { "--start": percent(start, whole), "--length": percent(timings[stage], whole) };
    start += timings[stage];
    return element("li", {},
      element("span", { class: "name" }, name, element("small", {}, ` ${does}`)),
      element("b", {}, duration(timings[stage])),
      element("span", { class: "span", style: bar, ariaHidden: "true" }));
  }));
}
