// The daemon's own HTTP API, and its stream of changes.

export const RELOAD_MS = 5000;

/** One call. Throws an Error that says what the daemon said. */
export async function call(method, path, body) {
  return (await ask(method, path, body)).json();
}

/** The same, as text: numbers stay as they were written. */
export async function text(path) {
  return (await ask("GET", path)).text();
}

async function ask(method, path, body) {
  const given = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { method, ...given });
  } catch {
    throw new Error("the daemon does not answer; is it running?");
  }
  if (answer.ok) return answer;
  let problem = {};
  try {
    problem = await answer.json();
  } catch { /* no problem of ours; its status says enough */ }
  const error = new Error(problem.detail || problem.title || `HTTP ${answer.status}`);
  error.status = answer.status;
  throw error;
}

/**
 * Listen to changes. `onOpen` is called when the lists are to be read (anew), `on` with each change, `tell`
 * with how the connection stands. Where there is no stream, the lists are read every few seconds.
 */
export function listen({ onOpen, on, tell }) {
  let reading = null;
  const fallBack = (said) => {
    tell(said, false);
    reading ??= setInterval(onOpen, RELOAD_MS);
  };
  const connect = () => {
    const stream = new EventSource("/v1/events");
    stream.addEventListener("open", () => {
      clearInterval(reading);
      reading = null;
      tell("live", true);
      onOpen();
    });
    stream.addEventListener("reset", onOpen);
    for (const kind of ["watch", "delivery"]) {
      stream.addEventListener(kind, (event) => on(kind, JSON.parse(event.data)));
    }
    stream.addEventListener("error", () => {
      fallBack("not live: reading the lists every few seconds");
      if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RELOAD_MS);
    });
  };
  connect();
}
