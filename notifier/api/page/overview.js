// The first view: a sentence, tiles that filter, watches, deliveries, receivers, providers.

import { button, el, keepingFocus, moment, replace, state, table } from "./dom.js";
import { deliveryActions, watchActions } from "./actions.js";

const EXAMPLE = {
  api_path: "/vendors/alibaba/v1/qwen-image-edit-max/generation",
  task_id: "TASK_ID",
  callback_url: "http://127.0.0.1:9001/hook",
};

export function overview(known, acts) {
  const summary = el("p", { class: "summary" });
  const tiles = { watches: el("ul", { class: "tiles" }), deliveries: el("ul", { class: "tiles" }) };
  const parts = {
    watches: part("watches", "Watches", tiles.watches, [
      "Task", "Provider", "State", "Registered", "Polls", "Next poll", "Note", "Actions"]),
    deliveries: part("deliveries", "Deliveries", tiles.deliveries, DELIVERY_HEADS),
    endpoints: part("endpoints", "Receivers", null, ["URL", "Gate", "Waiting", "Oldest waiting", "Dead", "Actions"]),
    providers: part("providers", "Providers", null, ["Name", "Condition"]),
  };
  const replay = button("send all dead ones again", () => acts.replayDead(), "replay-dead");
  parts.deliveries.section.append(el("p", {}, replay));
  const element = el("div", {}, summary, ...Object.values(parts).map((each) => each.section));

  function show() {
    if (!known.isRead) return;
    const { status } = known;
    if (summary.textContent !== status.summary) summary.textContent = status.summary;
    for (const name of ["watches", "deliveries"]) showTiles(tiles[name], name, status[name], known.filters[name]);
    showPart(parts.watches, known, "watches", (each) => watchRow(each, acts), emptyWatches);
    showPart(parts.deliveries, known, "deliveries", (each) => deliveryRow(each, acts), emptyDeliveries);
    parts.endpoints.show(known.endpoints.map((each) => endpointRow(each, acts)), "No receiver has been named yet.");
    parts.providers.show(Object.entries(status.providers).map(([name, said]) => providerRow(name, said)), "");
    replay.hidden = !status.deliveries.dead;
  }
  return { element, show };

  function showPart(shown, from, name, row, emptyText) {
    const list = from.lists[name];
    shown.show(from.newest(name).map(row), emptyText(from.filters[name]));
    shown.more.hidden = !list.next;
    shown.more.onclick = () => acts.doing(() => from.more(name));
  }
}

function part(name, title, above, heads) {
  const shown = table(title, heads);
  const none = el("div", { hidden: true });
  const more = button("show more", null, `more-${name}`, { hidden: true });
  const section = el("section", { "aria-labelledby": name }, el("h2", { id: name }, title), above, shown, none, more);
  return {
    section, more,
    show(rows, emptyText) {
      shown.hidden = !rows.length;
      none.hidden = Boolean(rows.length);
      if (!rows.length && none.dataset.said !== String(emptyText.key ?? emptyText)) {
        none.dataset.said = String(emptyText.key ?? emptyText);
        none.replaceChildren(...[emptyText.nodes ?? emptyText].flat());
      }
      shown.show(rows);
    },
  };
}

function showTiles(list, name, counts, chosen) {
  keepingFocus(() => {
    const tiles = [["", Object.values(counts).reduce((sum, count) => sum + count, 0)], ...Object.entries(counts)];
    const signature = JSON.stringify([tiles, chosen]);
    if (list.dataset.signature === signature) return;
    list.dataset.signature = signature;
    replace(list, tiles.map(([word, count]) => el("li", {}, tile(name, word, count, chosen))));
  });
}

function tile(name, word, count, chosen) {
  return el("button", {
    type: "button",
    "aria-pressed": String(word === chosen),
    data: { key: `tile-${name}-${word}`, filter: name, state: word },
  }, el("strong", {}, String(count)), " ", word || "all");
}

function watchRow(watch, acts) {
  const note = watch.trouble ?? watch.error?.title ?? watch.upstream_status ?? "";
  return [watch.id, JSON.stringify(watch), () => [
    [el("a", { href: `#/watches/${watch.id}`, data: { key: `open-${watch.id}` } }, watch.task_id),
      el("small", {}, watch.api_path)],
    watch.provider, state(watch.state), moment(watch.registered_at), String(watch.polls),
    moment(watch.next_poll_at, "now"), el("span", { class: watch.trouble ? "trouble" : null }, note),
    watchActions(watch, acts),
  ]];
}

export function deliveryRow(delivery, acts) {
  return [delivery.id, JSON.stringify(delivery), () => [
    el("a", { href: `#/deliveries/${delivery.id}`, data: { key: `open-${delivery.id}` } }, delivery.type),
    el("code", {}, delivery.url), state(delivery.state),
    String(Array.isArray(delivery.attempts) ? delivery.attempts.length : delivery.attempts),
    delivery.last_error ?? "", moment(delivery.next_attempt_at, "now"), moment(delivery.result_expires_at),
    deliveryActions(delivery, acts),
  ]];
}

function endpointRow(endpoint, acts) {
  const isHeld = endpoint.state !== "open";
  const [label, verb] = isHeld ? ["resume", "resume"] : ["pause", "pause"];
  const act = () => acts.doing(() => acts.post(`/v1/endpoints/${endpoint.id}/${verb}`), `${endpoint.url}: ${verb}d`);
  return [endpoint.id, JSON.stringify(endpoint), () => [
    el("code", {}, endpoint.url), el("span", { class: endpoint.state }, endpoint.gate), String(endpoint.pending),
    moment(endpoint.oldest_pending_at), String(endpoint.dead),
    button(label, act, `hold-${endpoint.id}`, { "aria-label": `${label} ${endpoint.url}` }),
  ]];
}

function providerRow(name, said) {
  return [name, said, () => [name, el("span", { class: said === "ok" ? "ok" : "trouble" }, said)]];
}

export const DELIVERY_HEADS = [
  "Event", "URL", "State", "Tries", "Last answer", "Next try", "Result expires", "Actions"];

function emptyWatches(filter) {
  if (filter) return `No watch is ${filter}.`;
  const line = `curl -X POST ${location.origin}/v1/watches -H 'Content-Type: application/json' -d '${JSON.stringify(EXAMPLE)}'`;
  return {
    key: "first",
    nodes: [el("p", {}, "No task has been registered yet. This registers one:"),
      el("pre", { tabindex: "0" }, el("code", {}, line))],
  };
}

function emptyDeliveries(filter) {
  if (filter) return `No delivery is ${filter}.`;
  return "No task has ended yet; each end makes one delivery for each of its callback URLs.";
}
