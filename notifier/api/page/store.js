// What the page knows: the newest watches and deliveries under the filters, counts, endpoints. All bounded.

import { call } from "./api.js";

const MOST = 200;
const PAGE = 50;

export class Known {
  constructor(changed) {
    this.changed = changed;
    this.filters = { watches: "", deliveries: "" };
    this.lists = { watches: empty(), deliveries: empty() };
    this.status = null;
    this.endpoints = [];
    this.isRead = false;
    this.reading = 0;
  }

  /** Read everything anew. Changes that arrive meanwhile are newer than what is being read, and win. */
  async read() {
    const turn = ++this.reading;
    this.during = { watches: new Map(), deliveries: new Map() };
    const [watches, deliveries, status, endpoints] = await Promise.all([
      this.page("watches"), this.page("deliveries"), call("GET", "/v1/status"), call("GET", "/v1/endpoints?limit=100"),
    ]);
    if (turn !== this.reading) return;
    Object.assign(this, { status, endpoints: endpoints.endpoints, isRead: true });
    for (const [name, page] of Object.entries({ watches, deliveries })) {
      this.lists[name] = { items: new Map(page[name].map((each) => [each.id, each])), next: page.next_cursor };
      for (const each of this.during[name].values()) this.put(name, each);
    }
    this.during = null;
    this.changed();
  }

  page(name, cursor = "") {
    const query = new URLSearchParams({ limit: PAGE });
    if (this.filters[name]) query.set("state", this.filters[name]);
    if (cursor) query.set("cursor", cursor);
    return call("GET", `/v1/${name}?${query}`);
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
    const [status, endpoints] = await Promise.all([call("GET", "/v1/status"), call("GET", "/v1/endpoints?limit=100")]);
    Object.assign(this, { status, endpoints: endpoints.endpoints });
    this.changed();
  }

  /** Take a change in. */
  take(kind, thing) {
    const name = kind === "watch" ? "watches" : "deliveries";
    this.during?.[name].set(thing.id, thing);
    this.put(name, thing);
    this.changed();
  }

  put(name, thing) {
    const { items } = this.lists[name];
    const isWanted = !this.filters[name] || this.filters[name] === thing.state;
    if (!isWanted) items.delete(thing.id);
    else if (items.has(thing.id) || isAbove(thing, items)) items.set(thing.id, thing);
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
function isAbove(thing, items) {
  if (items.size < PAGE) return true;
  if (items.size >= MOST) items.delete(lowest(items));
  return thing.id > lowest(items);
}

function lowest(items) {
  return [...items.keys()].reduce((low, id) => (id < low ? id : low));
}
