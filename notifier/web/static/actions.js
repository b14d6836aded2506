// What a person can do to a watch or a delivery, and how its outcome is told.

import { button, el } from "./dom.js";
import { call } from "./api.js";
import { WORDS } from "./words.js";

/** What the views may do. `say` tells a person, `refresh` has the lists read again. */
export function actions({ say, refresh }) {
  async function doing(work, done) {
    try {
      await work();
      if (done) say(done);
      await refresh();
    } catch (error) {
      say(`Not done: ${error.message}`);
    }
  }
  const post = (path, body) => call("POST", path, body);
  return { doing, post, say, refresh };
}

export function watchActions(watch, acts) {
  const path = `/v1/watches/${watch.id}`;
  const named = (verb) => ({ "aria-label": `${verb} ${watch.task_id}` });
  const act = (label, key, work, done) =>
    button(label, () => acts.doing(work, `${watch.task_id}: ${done}`), `${key}-${watch.id}`, named(label));
  const stop = async () => {
    if (!confirm(`Stop watching ${watch.task_id}? No callback will be made.`)) return;
    await acts.doing(() => call("DELETE", path), `${watch.task_id}: stopped`);
  };
  const offered = [];
  if (watch.state === WORDS.live) {
    offered.push(act("poll now", "poll", () => acts.post(`${path}/poll`), "is polled now"));
    offered.push(button("stop", stop, `stop-${watch.id}`, named("stop")));
  }
  if (WORDS.resumable.includes(watch.state)) {
    offered.push(act("resume", "resume", () => acts.post(`${path}/resume`), "is being watched again"));
  }
  return el("div", { class: "actions" }, offered);
}

export function deliveryActions(delivery, acts) {
  const send = () => acts.doing(
    () => acts.post(`/v1/deliveries/${delivery.id}/redeliver`), `${delivery.type} to ${delivery.url}: is sent again`);
  const more = { "aria-label": `redeliver ${delivery.type} to ${delivery.url}` };
  return el("div", { class: "actions" }, button("redeliver", send, `redeliver-${delivery.id}`, more));
}

export function endpointActions(endpoint, acts) {
  const verb = endpoint.state === "open" ? "pause" : "resume";
  const act = () => acts.doing(() => acts.post(`/v1/endpoints/${endpoint.id}/${verb}`), `${endpoint.url}: ${verb}d`);
  const more = { "aria-label": `${verb} ${endpoint.url}` };
  return el("div", { class: "actions" }, button(verb, act, `hold-${endpoint.id}`, more));
}

/** A button that puts a command for a shell onto the clipboard. */
export function copyButton(label, line, acts, key, more = {}) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(line);
      acts.say("Copied.");
    } catch {
      acts.say(`The browser does not let us copy; it is: ${line}`);
    }
  };
  return button(label, copy, key, more);
}
