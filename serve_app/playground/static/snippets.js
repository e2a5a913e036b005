// What was just asked, as commands that run as they stand.

/** `{ curl, python, note }` for a question `{ picture, query, budget }` to the server at `origin`. */
export function snippets(question, origin) {
  return { curl: curl(question, origin), python: python(question, origin), note: note(question) };
}

function curl({ picture, query, budget }, origin) {
  const form = [picture.path ? "-F image=@-" : `-F ${quoted(`image=@${curlFile(picture.name)}`)}`];
  form.push(`--form-string ${quoted(`query=${query}`)}`); // taken literally, where -F would interpret it
  if (budget !== null) form.push(`-F visual_token_budget=${budget}`);
  const command = [`curl ${quoted(`${origin}/vqa`)}`, ...form].join(" \\\n  ");
  return picture.path ? `curl -s ${quoted(origin + picture.path)} |\n${command}` : command;
}

function python({ picture, query, budget }, origin) {
  const bytes = picture.path
    ? `urllib.request.urlopen(${literal(origin + picture.path)}).read()`
    : `open(${literal(picture.name)}, "rb").read()`;
  const type = picture.blob.type || "image/png"; // the server looks at the bytes, not at this
  return `import base64
import json
import urllib.request

picture = base64.b64encode(${bytes}).decode()
question = {
    "image": "data:${type};base64," + picture,
    "query": ${literal(query)},${budget === null ? "" : `\n    "visual_token_budget": ${budget},`}
}
request = urllib.request.Request(
    ${literal(`${origin}/vqa`)},
    json.dumps(question).encode(),
    {"content-type": "application/json"},
)
reply = json.load(urllib.request.urlopen(request))
print(reply["answer"], "for", reply["total_visual_tokens"], "visual tokens")
`;
}

function note({ picture }) {
  const whole = "POST /stream_generate takes the same fields and streams; explain=true adds the maps.";
  if (picture.path) return whole;
  return `${picture.pasted ? " where you run it" : "Run it where the picture is"}. ${whole}`; // after a link
}

/** One word for a POSIX shell; plain words stay as they are. */
const quoted = (text) => (/^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A file name for curl's -F, which gives commas, semicolons and quotes a meaning of their own. */
const curlFile = (name) => (/[,;"\\]/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name);

/** A Python string literal: JSON's escapes mean the same there. */
const literal = (text) => JSON.stringify(text);
