// What a person can do to a watch or a delivery, and how its outcome is told.

import { button, el } from "./dom.js";
import { call } from "./api.js";

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

  async function replayDead() {
    await doing(async () => {
      const wanted = { state: "dead" };
      const { matched } = await post("/v1/deliveries/replay", { ...wanted, dry_run: true });
      if (!confirm(`Send ${matched} dead deliveries again, at 10 a second?`)) return;
      await post("/v1/deliveries/replay", wanted);
      say(`${matched} deliveries are sent again`);
    });
  }
  return { doing, post, say, replayDead };
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
  if (watch.state === "watching") {
    offered.push(act("poll now", "poll", () => acts.post(`${path}/poll`), "is polled now"));
    offered.push(button("stop", stop, `stop-${watch.id}`, named("stop")));
  }
  if (["expired", "lost", "stopped"].includes(watch.state)) {
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

/** A button that puts a command for a shell onto the clipboard. */
export function copyButton(label, line, acts, key) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(line);
      acts.say("Copied.");
    } catch {
      acts.say(`The browser does not let us copy; it is: ${line}`);
    }
  };
  return button(label, copy, key);
}
