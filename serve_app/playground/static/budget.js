// The visual token budget of the next question. Knows what the model takes and what the picture would cost.

import { byId, count } from "./dom.js";

const slider = byId("budget");
const automatic = byId("budget-auto");
const said = byId("budget-said");

/** A picture's tokens at its own resolution, as the server counts them; halves go to the even side. */
function nativeTokens({ width, height }, side) {
  const along = (pixels) => {
    const tokens = pixels / side;
    return Math.max(1, tokens % 2 === 0.5 ? Math.floor(tokens) : Math.round(tokens));
  };
  return along(width) * along(height);
}

export class Budget {
  #limits = null; // of the model, as /health tells them
  #picture = null;
  #automatic = true;

  constructor() {
    slider.addEventListener("input", () => this.#choose(false));
    automatic.addEventListener("click", () => this.#choose(!this.#automatic));
    this.#render();
  }

  /** Tokens, or null where the server shall choose. */
  get value() {
    return this.#automatic ? null : Number(slider.value);
  }

  /** Takes what `/health` says of `visual_tokens`, null while that is unknown. */
  set limits(limits) {
    this.#limits = limits;
    this.#fit();
  }

  set picture(picture) {
    this.#picture = picture;
    this.#fit();
  }

  /** Rests the slider on what an automatic budget came to. */
  settle(tokens) {
    if (this.#automatic) slider.value = tokens;
    this.#render();
  }

  get #native() {
    return this.#limits && this.#picture ? nativeTokens(this.#picture, this.#limits.side) : null;
  }

  #choose(isAutomatic) {
    this.#automatic = isAutomatic;
    this.#render();
  }

  #fit() {
    if (!this.#limits) return;
    const { smallest_budget: least, largest_budget: most } = this.#limits;
    const step = Number(slider.step);
    const enough = this.#native === null ? most : Math.ceil(this.#native / step) * step;
    slider.min = least;
    slider.max = Math.max(least + step, Math.min(most, enough));
    this.#render();
  }

  #render() {
    const text = this.#automatic ? "automatic" : this.#inWords(Number(slider.value));
    said.value = text;
    slider.setAttribute("aria-valuetext", text);
    slider.toggleAttribute("data-automatic", this.#automatic);
    automatic.setAttribute("aria-pressed", String(this.#automatic));
  }

  #inWords(tokens) {
    if (this.#native === null) return `at most ${count(tokens)}`;
    if (tokens >= this.#native) return `all ${count(this.#native)}, native resolution`;
    return `at most ${count(tokens)} of ${count(this.#native)}`;
  }
}
