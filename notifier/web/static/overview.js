// The first view: a sentence, tiles that filter, watches, deliveries, receivers, plots, providers.

import { button, el, keepingFocus, moment, replace, state, table, to } from "./dom.js";
import { deliveryActions, endpointActions, watchActions } from "./actions.js";
import { plots } from "./plots.js";
import { replay } from "./replay.js";
import { fixOf, timed, told, trouble } from "./say.js";
import { USUAL } from "./store.js";
import { WORDS } from "./words.js";

const FEW = 8;
const { titles, heads, empty, due } = WORDS;

export function overview(known, acts) {
  const summary = el("p", { class: "summary" });
  const tiles = { watches: tileRow("watches"), deliveries: tileRow("deliveries") };
  const parts = {
    watches: part("watches", [...heads.watches, WORDS.actions]),
    deliveries: part("deliveries", [...heads.deliveries, WORDS.actions]),
    endpoints: part("endpoints", [...heads.endpoints, WORDS.actions]),
    plots: { section: section("plots") },
    providers: part("providers", heads.providers, false),
  };
  const again = replay(acts);
  const drawn = plots();
  let areAllShown = false;
  parts.endpoints.more.onclick = () => {
    areAllShown = true;
    show();
  };
  parts.deliveries.section.append(again);
  parts.plots.section.append(drawn);
  const element = el("div", {},
    el("h1", { class: "unseen" }, "What is being watched and delivered"),
    summary, Object.values(tiles).map((each) => each.element), Object.values(parts).map((each) => each.section));

  function show() {
    if (!known.isRead) return;
    const { status } = known;
    if (summary.dataset.said !== status.summary) {
      summary.dataset.said = status.summary;
      summary.replaceChildren(...timed(status.summary), ...[fixOf(status.cause)].filter(Boolean));
    }
    summary.className = `summary ${status.ok ? "well" : "ill"}`;
    document.title = status.ok ? "notifier" : "notifier: needs a look";
    showTiles(tiles.watches.list, "watches", status.watches, known.filters);
    showTiles(tiles.deliveries.list, "deliveries", status.deliveries, known.filters, status.oldest_pending_at);
    showList("watches", (each) => watchRow(each, acts), emptyWatches(known));
    const gates = new Map(known.endpoints.map(({ url, state: gate }) => [url, gate]));
    showList("deliveries", (each) => deliveryRow(each, acts, gates.get(each.url.split("?")[0])), emptyDeliveries(known));
    parts.endpoints.show(heldFirst(known.endpoints).map((each) => endpointRow(each, acts)), [empty.endpoints]);
    parts.endpoints.more.hidden = areAllShown || known.endpoints.length <= FEW;
    parts.providers.show(Object.entries(status.providers).map(([name, said]) => providerRow(name, said, status.provider_causes[name])), [""]);
    drawn.show(known.plots);
    again.hidden = !(status.deliveries.dead + status.deliveries.delivered);
    again.show(known.endpoints);
  }
  return { element, show };

  /** What is held back comes first; of the others a few are enough until somebody wants to see all. */
  function heldFirst(endpoints) {
    const [held, others] = [true, false].map((isHeld) => endpoints.filter((each) => (each.state !== "open") === isHeld));
    return [...held, ...others].slice(0, areAllShown ? undefined : Math.max(FEW, held.length));
  }

  function showList(name, row, none) {
    const shown = parts[name];
    shown.show(known.newest(name).map(row), none);
    shown.more.hidden = !known.lists[name].next;
    shown.more.onclick = () => acts.doing(() => known.more(name));
  }
}

function section(name) {
  return el("section", { "aria-labelledby": name }, el("h2", { id: name }, titles[name]));
}

/** A table under its title, and what is said where it would be empty: nodes, the last one new with each text. */
function part(name, columns, isWide = true) {
  const shown = table(titles[name], columns, { isWide });
  const none = el("div", { hidden: true });
  const more = button("show more", null, `more-${name}`, { hidden: true });
  const whole = section(name);
  whole.append(shown, none, more);
  return {
    section: whole, more,
    show(rows, [text, line]) {
      shown.hidden = !rows.length;
      none.hidden = Boolean(rows.length);
      if (none.dataset.said !== text) {
        none.dataset.said = text;
        none.replaceChildren(el("p", {}, text), ...(line ? [el("pre", { tabindex: "0" }, el("code", {}, line))] : []));
      }
      shown.show(rows);
    },
  };
}

function tileRow(name) {
  const list = el("ul");
  return { list, element: el("nav", { class: "tiles", "aria-label": `${titles[name]} by state` }, el("p", {}, titles[name]), list) };
}

/** The address of this page with other wishes; those that go without saying are left out. */
export function address(filters) {
  const said = Object.entries(filters).filter(([name, value]) => value !== USUAL[name]);
  return said.length ? `/?${new URLSearchParams(said)}` : "/";
}

function showTiles(list, name, counts, filters, oldest = null) {
  const chosen = name === "watches" && filters.task ? "" : filters[name];
  const signature = JSON.stringify([counts, filters, oldest]);
  if (list.dataset.signature === signature) return;
  list.dataset.signature = signature;
  const all = [[WORDS.all, Object.values(counts).reduce((sum, count) => sum + count, 0)], ...Object.entries(counts)];
  const items = all.map(([word, count]) => el("li", {}, el("a", {
    href: address({ ...filters, task: "", [name]: word }),
    class: count ? word : `${word} none`,
    "aria-current": word === chosen ? "true" : null,
    data: { key: `tile-${name}-${word}` },
  }, el("strong", {}, String(count)), " ", word)));
  if (oldest) items.push(el("li", { class: "soft" }, `${WORDS.oldest}: `, moment(oldest, { as: "age" })));
  keepingFocus(() => replace(list, items));
}

function watchRow(watch, acts) {
  const said = watch.error?.title ?? (watch.state === WORDS.live ? watch.upstream_status : "") ?? "";
  return [watch.id, JSON.stringify(watch), () => [
    [to(`/watches/${watch.id}`, `open-${watch.id}`, watch.task_id), el("small", {}, watch.api_path)],
    watch.provider, state(watch.state), moment(watch.registered_at, { as: "age" }), String(watch.polls),
    moment(watch.next_poll_at, { due }), watch.trouble ? trouble(watch.trouble) : said, watchActions(watch, acts),
  ]];
}

/** What is due may be held back all the same: `gate` is how its endpoint stands. */
export function deliveryRow(delivery, acts, gate = "") {
  const tries = Array.isArray(delivery.attempts) ? delivery.attempts.length : delivery.attempts;
  return [delivery.id, JSON.stringify(delivery) + gate, () => [
    to(`/deliveries/${delivery.id}`, `open-${delivery.id}`, delivery.type),
    el("code", {}, delivery.url), state(delivery.state), String(tries), moment(delivery.created_at, { as: "age" }),
    delivery.last_error ?? "", moment(delivery.next_attempt_at, { due: WORDS.held[gate] ?? due }), moment(delivery.result_expires_at),
    deliveryActions(delivery, acts),
  ]];
}

function endpointRow(endpoint, acts) {
  const gate = () => [
    el("span", { class: endpoint.state }, endpoint.gate),
    endpoint.since && [" since ", moment(endpoint.since, { as: "instant" })],
    endpoint.next_probe_at && [", next probe ", moment(endpoint.next_probe_at, { due })],
    fixOf(endpoint.cause),
  ].flat();
  return [endpoint.id, JSON.stringify(endpoint), () => [
    el("code", {}, endpoint.url), gate(), String(endpoint.pending), moment(endpoint.oldest_pending_at, { as: "age" }),
    String(endpoint.dead || ""), endpointActions(endpoint, acts),
  ]];
}

function providerRow(name, said, cause) {
  return [name, said, () => [name, cause ? [trouble(said), fixOf(cause)] : el("span", { class: "ok" }, said)]];
}

function emptyWatches({ filters, status }) {
  const total = Object.values(status.watches).reduce((sum, count) => sum + count, 0);
  if (filters.task) return [told(empty.task, filters)];
  const isLive = filters.watches === WORDS.live || filters.watches === WORDS.all;
  if (total && !isLive) return [told(empty.watches, { state: filters.watches })];
  return [total ? empty.idle : empty.first, told(WORDS.register, { origin: location.origin })];
}

function emptyDeliveries({ filters, status }) {
  const total = Object.values(status.deliveries).reduce((sum, count) => sum + count, 0);
  return [total && filters.deliveries !== WORDS.all ? told(empty.deliveries, { state: filters.deliveries }) : empty.ends];
}
