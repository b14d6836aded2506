// What the page knows: the newest watches and deliveries under the filters, counts, endpoints, plots. All bounded.

import { call } from "./api.js";
import { WORDS } from "./words.js";

const MOST = 200;
const PAGE = { watches: 25, deliveries: 15 };
const LINGER_MS = 6000;
const PLOTS_EVERY_MS = 5000;

export const USUAL = { watches: WORDS.live, deliveries: WORDS.all, task: "" };

export class Known {
  constructor(changed) {
    this.changed = changed;
    this.filters = { ...USUAL };
    this.lists = { watches: empty(), deliveries: empty() };
    this.status = null;
    this.endpoints = [];
    this.plots = null;
    this.plotsComing = null; // the answer that is under way, or the last one: two readings may share it
    this.plotsReadAt = 0;
    this.arePlotsOld = true;
    this.isRead = false;
    this.reading = 0;
  }

  /** Read everything anew. Changes that arrive meanwhile are newer than what is being read, and win. */
  async read() {
    const turn = ++this.reading;
    this.arePlotsOld = true;
    this.during = { watches: new Map(), deliveries: new Map() };
    const [watches, deliveries] = await Promise.all([this.page("watches"), this.page("deliveries"), this.readFigures()]);
    if (turn !== this.reading) return;
    this.isRead = true;
    for (const [name, page] of Object.entries({ watches, deliveries })) {
      this.lists[name] = { items: new Map(page[name].map((each) => [each.id, each])), next: page.next_cursor };
      for (const each of this.during[name].values()) this.put(name, each);
    }
    this.during = null;
    this.changed();
  }

  page(name, cursor = "") {
    const query = new URLSearchParams({ limit: PAGE[name] });
    if (name === "watches" && this.filters.task) query.set("task_id", this.filters.task);
    else if (this.filters[name] !== WORDS.all) query.set("state", this.filters[name]);
    if (cursor) query.set("cursor", cursor);
    return call("GET", `/v1/${name}?${query}`).catch((error) => {
      if (error.status === 422 && name === "watches" && this.filters.task) return { watches: [], next_cursor: null };
      throw error; // no task can have that id
    });
  }

  /** Read one more page of a list. */
  async more(name) {
    const list = this.lists[name];
    const page = await this.page(name, list.next);
    for (const each of page[name]) list.items.set(each.id, each);
    list.next = page.next_cursor;
    this.changed();
  }

  async readCounts() {
    await this.readFigures();
    this.changed();
  }

  /** What is counted rather than listed. */
  async readFigures() {
    if (this.isPlotDue) this.plotsComing = this.readPlots();
    const [status, endpoints, plots] = await Promise.all([
      call("GET", "/v1/status"), call("GET", "/v1/endpoints?limit=100"), this.plotsComing,
    ]);
    Object.assign(this, { status, endpoints: endpoints.endpoints, plots });
  }

  /** The plots change slowly and cost more than the rest: they are read seldom, and only after a change. */
  get isPlotDue() {
    return this.arePlotsOld && Date.now() - this.plotsReadAt >= PLOTS_EVERY_MS;
  }

  async readPlots() {
    this.plotsReadAt = Date.now();
    this.arePlotsOld = false;
    try {
      return await call("GET", "/v1/plots");
    } catch (error) {
      this.plotsReadAt = 0;
      this.arePlotsOld = true;
      throw error;
    }
  }

  /** Take a change in. */
  take(kind, thing) {
    this.arePlotsOld = true;
    const name = kind === "watch" ? "watches" : "deliveries";
    this.during?.[name].set(thing.id, thing);
    this.put(name, thing);
    this.changed();
  }

  /** What the filter lets go stays for a moment: that it has just changed is what somebody waits to see. */
  put(name, thing) {
    const { items } = this.lists[name];
    if (this.wants(name, thing)) {
      if (items.has(thing.id) || isAbove(thing, items, PAGE[name])) items.set(thing.id, thing);
    } else if (items.has(thing.id)) {
      items.set(thing.id, thing);
      setTimeout(() => this.letGo(name, thing.id), LINGER_MS);
    }
  }

  letGo(name, id) {
    const { items } = this.lists[name];
    if (!items.has(id) || this.wants(name, items.get(id))) return;
    items.delete(id);
    this.changed();
  }

  wants(name, thing) {
    if (name === "watches" && this.filters.task) return thing.task_id === this.filters.task;
    return this.filters[name] === WORDS.all || this.filters[name] === thing.state;
  }

  /** Newest first: ids sort by the time they were made. */
  newest(name) {
    return [...this.lists[name].items.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  }
}

function empty() {
  return { items: new Map(), next: null };
}

/** Whether a thing that is not listed belongs there: it is newer than the last one, or all fit anyway. */
function isAbove(thing, items, page) {
  if (items.size < page) return true;
  if (items.size >= MOST) items.delete(lowest(items));
  return thing.id > lowest(items);
}

function lowest(items) {
  return [...items.keys()].reduce((low, id) => (id < low ? id : low));
}
