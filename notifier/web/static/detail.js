// The views of one watch and of one delivery. Each part is made anew only when what it shows has changed.

import { button, el, facts, keeper, keepingFocus, link, moment, replace, state, table, to } from "./dom.js";
import { call, text } from "./api.js";
import { copyButton, deliveryActions, watchActions } from "./actions.js";
import { deliveryRow } from "./overview.js";
import { adviceOf, errorOf, fix, fixOf, nameOf, quoted, timed, told, trouble } from "./say.js";
import { WORDS } from "./words.js";

const MOST_SIGNS = 200_000;
const { titles, heads, due } = WORDS;

/** One watch and what led to its state; `show` reads it (again), and shows it if `isWanted` still. */
export function watchView(id, acts) {
  const element = el("div"), kept = keeper(), path = `/v1/watches/${encodeURIComponent(id)}`;
  const deliveries = table(titles.deliveries, [...heads.deliveries, WORDS.actions], { isWide: true });
  const steps = table(titles.timeline, heads.timeline, { isWide: true });
  const sections = { deliveries: section("deliveries", deliveries), timeline: section("timeline", steps) };
  const pictures = new Map();

  async function show(isWanted) {
    const [raw, { timeline }] = await Promise.all([text(path), call("GET", `${path}/timeline`)]);
    if (!isWanted()) return null;
    const watch = JSON.parse(raw), { payload, metadata } = exact(raw);
    deliveries.show(watch.deliveries.map((each) => deliveryRow(each, acts)));
    steps.show(timeline.map((each, n) => [`${n} ${each.at}`, each.text, () => [moment(each.at, { as: "clock" }), each.kind, timed(each.text)]]));
    keepingFocus(() => replace(element, [
      kept("back", 0, () => el("p", { class: "back" }, to("/", "back", "All watches"))),
      kept("title", 0, () => el("h1", { tabindex: "-1", class: "title" }, `Task ${watch.task_id}`)),
      kept("actions", watch.state, () => watchActions(watch, acts)),
      kept("facts", { ...watch, deliveries: 0, payload: 0 }, () => facts(WORDS.facts.watch.map((name) => [nameOf(name), factOfWatch(watch, name)]))),
      watch.outputs.length && kept("results", watch.outputs, () => results(watch, pictures)),
      watch.deliveries.length && sections.deliveries,
      sections.timeline,
      json(kept, "payload", payload), json(kept, "metadata", metadata),
    ].filter(Boolean)));
    return `Task ${watch.task_id}`;
  }
  return { element, show, concerns: (thing) => thing.id === id || thing.watch_id === id };
}

/** One delivery and its attempts. */
export function deliveryView(id, acts) {
  const element = el("div"), kept = keeper();
  const tries = table(titles.attempts, [...heads.attempts, WORDS.actions], { isWide: true });
  const attempts = section("attempts", tries), none = section("attempts", el("p", {}, WORDS.empty.attempts));

  async function show(isWanted) {
    const delivery = await call("GET", `/v1/deliveries/${encodeURIComponent(id)}`);
    if (!isWanted()) return null;
    const title = `${delivery.type} to ${delivery.url}`;
    tries.show(delivery.attempts.map((each) => attemptRow(each, delivery, acts)));
    keepingFocus(() => replace(element, [
      kept("back", 0, () => el("p", { class: "back" }, to(`/watches/${delivery.watch_id}`, "watch", "Its watch"), " · ", to("/", "back", "All watches"))),
      kept("title", 0, () => el("h1", { tabindex: "-1", class: "title" }, title)),
      kept("actions", 0, () => el("div", { class: "actions" }, deliveryActions(delivery, acts),
        copyButton("copy as curl", redelivering(delivery), acts, "copy-curl"))),
      kept("facts", delivery, () => facts(WORDS.facts.delivery.map((name) => [nameOf(name), factOfDelivery(delivery, name)]))),
      delivery.attempts.length ? attempts : none,
    ]));
    return title;
  }
  return { element, show, concerns: (thing) => thing.id === id };
}

function factOfWatch(watch, name) {
  switch (name) {
    case "state": return state(watch.state);
    case "trouble": return watch.trouble && [trouble(watch.trouble), fixOf(watch.cause)];
    case "error": return watch.error && errorOf(watch.error);
    case "polls": return String(watch.polls);
    case "callbacks": return watch.callbacks.map((each) => el("div", {}, el("code", {}, each.url), " ", el("small", {}, each.events.join(", "))));
    case "expires_at": if (watch.ended_at) return null;
  }
  return fact(watch[name], name);
}

function factOfDelivery(delivery, name) {
  switch (name) {
    case "state": return state(delivery.state);
    case "held": return delivery.held && [timed(delivery.held), fixOf(delivery.cause)];
    case "next_attempt_at": if (delivery.held) return null; break;
    case "last_error": {
      const last = delivery.attempts.at(-1);
      return delivery.last_error && [delivery.last_error, fix(last ? adviceOf(last) : "")];
    }
    case "watch_id": return to(`/watches/${delivery.watch_id}`, "watch-id", delivery.watch_id);
    case "give_up_at": if (delivery.ended_at) return null;
  }
  return fact(delivery[name], name);
}

function fact(value, name) {
  if (name.endsWith("_at")) return moment(value, { as: "instant", due: name.startsWith("next_") ? due : "" });
  return value && (name === "id" || name.includes("_")) ? el("code", {}, value) : value;
}

/** Links, and for what may be a picture the way to see it: on a click, and through the daemon. Of very many the first. */
function results(watch, pictures) {
  const items = watch.outputs.slice(0, WORDS.most_results)
    .map((url, number) => el("li", {}, link(url), isPicture(url) && picture(watch, number, pictures)));
  const count = watch.outputs.length - items.length;
  if (count) items.push(el("li", {}, told(WORDS.more_results, { count })));
  return section("results", el("ul", { class: "results" }, items),
    watch.result_expires_at && el("p", { class: "soft" }, WORDS.good_until, " ", moment(watch.result_expires_at, { as: "instant" })));
}

function isPicture(url) {
  return /^https?:\/\//i.test(url) && !WORDS.no_pictures.some((end) => url.split(/[?#]/)[0].toLowerCase().endsWith(end));
}

function picture(watch, number, pictures) {
  if (pictures.has(number)) return pictures.get(number);
  const path = `/v1/watches/${watch.id}/outputs/${number}`;
  const place = el("div", { class: "shown" });
  const showing = button(WORDS.show, () => {
    showing.disabled = true;
    const image = el("img", { src: path, alt: `Result ${number + 1} of task ${watch.task_id}` });
    image.addEventListener("load", () => place.replaceChildren(image));
    image.addEventListener("error", async () => {
      const why = await text(path).then(() => "the browser cannot show it", (error) => error.message);
      place.replaceChildren(el("p", { class: "trouble", role: "status" }, `No picture: ${why}`));
    });
  }, `picture-${number}`, { "aria-label": `${WORDS.show} of result ${number + 1}` });
  place.append(showing);
  pictures.set(number, place);
  return place;
}

function attemptRow(attempt, delivery, acts) {
  const fields = { ...attempt };
  const more = { "aria-label": `copy attempt ${attempt.number} as curl` };
  return [attempt.number, JSON.stringify(fields), () => [
    String(attempt.number), moment(attempt.at, { as: "instant" }), [`${attempt.duration_ms} ms`, el("small", {}, times(attempt))],
    String(attempt.status ?? ""), attempt.error ?? "", attempt.answer ? el("pre", { tabindex: "0" }, attempt.answer) : "",
    el("div", { class: "actions" }, copyButton("copy as curl", sending(delivery, attempt), acts, `copy-${attempt.number}`, more)),
  ]];
}

/** Where the time of an attempt went, as far as it is known, and with whom. */
function times({ connect_ms, first_byte_ms, peer }) {
  const spent = [
    connect_ms === null ? "" : `connected after ${connect_ms} ms`,
    first_byte_ms === null ? "" : `answered after ${first_byte_ms} ms`,
  ].filter(Boolean).join(", ");
  return [spent, peer ? `to ${peer}` : ""].filter(Boolean).join("; ");
}

/** The command that has the daemon send it again, newly signed. */
function redelivering(delivery) {
  return `curl -X POST ${location.origin}/v1/deliveries/${delivery.id}/redeliver${WORDS.auth}`;
}

/** The command that sends what an attempt sent, from here and without its signature. */
function sending(delivery, attempt) {
  return `curl -sS ${location.origin}/v1/deliveries/${delivery.id}/body${WORDS.auth} | curl -i -X POST ${quoted(delivery.url)}`
    + ` -H 'Content-Type: application/json' -H 'webhook-id: ${delivery.event_id}' -H 'notifier-attempt: ${attempt.number}' --data-binary @-`;
}

function json(kept, name, value) {
  if (value === null || value === undefined || (typeof value === "object" && !Object.keys(value).length)) return null;
  const compact = JSON.stringify(value);
  const written = compact.length > MOST_SIGNS ? compact : JSON.stringify(value, null, 2);
  return kept(name, written, () => {
    const shown = written.length > MOST_SIGNS ? `${written.slice(0, MOST_SIGNS)}\n… (cut; the API has all of it)` : written;
    return section(name, el("pre", { tabindex: "0" }, shown));
  });
}

/** Parse with numbers as they were written, where the browser can: 1.0 and 2^60 are not ours to round. */
function exact(raw) {
  const keep = (_, value, context) =>
    typeof value === "number" && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
  return JSON.parse(raw, keep);
}

function section(name, ...content) {
  return el("section", { "aria-label": titles[name] }, el("h2", {}, titles[name]), content);
}
