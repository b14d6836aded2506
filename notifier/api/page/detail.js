// The views of one watch and of one delivery.

import { el, link, moment, state, table } from "./dom.js";
import { call, text } from "./api.js";
import { copyButton, deliveryActions, watchActions } from "./actions.js";
import { DELIVERY_HEADS, deliveryRow } from "./overview.js";

const MOST_SIGNS = 200_000;

/** Read one watch and what led to its state; returns an element. */
export async function watchView(id, acts) {
  const raw = await text(`/v1/watches/${encodeURIComponent(id)}`);
  const watch = JSON.parse(raw);
  const steps = await timelineOf(id);
  return el("div", {},
    el("p", {}, el("a", { href: "#/" }, "All watches")),
    el("h2", { tabindex: "-1", class: "title" }, `Task ${watch.task_id}`),
    watchActions(watch, acts),
    facts([
      ["State", state(watch.state)], ["Trouble", watch.trouble && el("span", { class: "trouble" }, watch.trouble)],
      ["Error", watch.error && [watch.error.title, watch.error.detail].filter(Boolean).join(": ")],
      ["Watch", el("code", {}, watch.id)], ["Provider", watch.provider], ["API path", el("code", {}, watch.api_path)],
      ["Provider's word", watch.upstream_status], ["Registered", moment(watch.registered_at)],
      ["Polls", String(watch.polls)], ["Last poll", moment(watch.last_polled_at)],
      ["Next poll", moment(watch.next_poll_at, "now")], ["Ended", moment(watch.ended_at)],
      ["Expires", watch.ended_at ? null : moment(watch.expires_at)],
    ]),
    results(watch), deliveries(watch, acts), timeline(steps),
    json("The provider's last answer", exact(raw).payload), json("Metadata", exact(raw).metadata));
}

/** Read one delivery and its attempts; returns an element. */
export async function deliveryView(id, acts) {
  const delivery = await call("GET", `/v1/deliveries/${encodeURIComponent(id)}`);
  const line = `curl -X POST ${location.origin}/v1/deliveries/${delivery.id}/redeliver`;
  return el("div", {},
    el("p", {}, el("a", { href: `#/watches/${delivery.watch_id}` }, "Its watch"), " · ", el("a", { href: "#/" }, "All")),
    el("h2", { tabindex: "-1", class: "title" }, `${delivery.type} to ${delivery.url}`),
    el("div", { class: "actions" }, deliveryActions(delivery, acts),
      copyButton("copy as curl", line, acts, "copy-curl")),
    facts([
      ["State", state(delivery.state)], ["Delivery", el("code", {}, delivery.id)],
      ["webhook-id", el("code", {}, delivery.event_id)], ["Made", moment(delivery.created_at)],
      ["Next try", moment(delivery.next_attempt_at, "now")], ["Last answer", delivery.last_error],
      ["Ended", moment(delivery.ended_at)], ["Given up", delivery.ended_at ? null : moment(delivery.give_up_at)],
      ["Result expires", moment(delivery.result_expires_at)],
    ]),
    attempts(delivery.attempts));
}

function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", {}, told.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function results(watch) {
  if (!watch.outputs.length) return null;
  return section("Results",
    el("ul", {}, watch.outputs.map((url) => el("li", {}, link(url)))),
    watch.result_expires_at && el("p", { class: "soft" }, "These links expire ", moment(watch.result_expires_at, "now"), "."));
}

function deliveries(watch, acts) {
  if (!watch.deliveries.length) return null;
  const shown = table("Deliveries of this watch", DELIVERY_HEADS);
  shown.show(watch.deliveries.map((each) => deliveryRow(each, acts)));
  return section("Deliveries", shown);
}

function attempts(made) {
  if (!made.length) return section("Attempts", el("p", {}, "It has not been tried yet."));
  const shown = table("Attempts", ["Try", "At", "Took", "Status", "Error", "Answer"]);
  shown.show(made.map((each) => [each.number, "", () => [
    String(each.number), moment(each.at), `${(each.duration_ms / 1000).toFixed(1)} s`, String(each.status ?? ""),
    each.error ?? "", each.answer ? el("pre", { tabindex: "0" }, each.answer) : "",
  ]]));
  return section("Attempts", shown);
}

async function timelineOf(id) {
  try {
    return (await call("GET", `/v1/watches/${encodeURIComponent(id)}/timeline`)).timeline ?? [];
  } catch (error) {
    if (error.status === 404) return [];
    throw error;
  }
}

function timeline(steps) {
  if (!steps.length) return null;
  const shown = table("Timeline", ["At", "What", "Why"]);
  shown.show(steps.map((each, n) => [n, "", () => [moment(each.at), each.kind, each.text]]));
  return section("Timeline", shown);
}

function json(title, value) {
  if (value === null || value === undefined || (typeof value === "object" && !Object.keys(value).length)) return null;
  const written = JSON.stringify(value, null, 2);
  const shown = written.length > MOST_SIGNS ? `${written.slice(0, MOST_SIGNS)}\n… (cut; the API has all of it)` : written;
  return section(title, el("pre", { tabindex: "0" }, shown));
}

/** Parse with numbers as they were written, where the browser can: 1.0 and 2^60 are not ours to round. */
function exact(raw) {
  const keep = (_, value, context) =>
    typeof value === "number" && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
  return JSON.parse(raw, keep);
}

function section(title, ...content) {
  return el("section", { "aria-label": title }, el("h2", {}, title), content);
}
