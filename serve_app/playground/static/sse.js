// Server-sent events, read from the body of a fetch (an EventSource cannot POST).

/** The events of a byte stream as `{ name, data }`, each as soon as its blank line has arrived.
 * Leaving the loop early cancels the stream. */
export async function* events(stream) {
  let event = fresh();
  for await (const line of lines(stream)) {
    if (line === "") {
      if (event.data.length) yield { name: event.name, data: event.data.join("\n") };
      event = fresh();
    } else {
      take(event, line);
    }
  }
}

const fresh = () => ({ name: "message", data: [] });

function take(event, line) {
  const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
  if (field === "data") event.data.push(value);
  if (field === "event") event.name = value;
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return; // what no line break ends is no line
      const pieces = (rest + value).split("\n");
      rest = pieces.pop();
      for (const piece of pieces) yield piece.replace(/\r$/, "");
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may have broken already
  }
}
