// Elements made from values. Text is only ever text: nothing here reads markup.

const UNITS = [[86400, "d"], [3600, "h"], [60, "m"]];
const SVG = "http://www.w3.org/2000/svg";

/** Make an element. `on…` are listeners, `data` is a dataset, the rest attributes; null and false are left out. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same, of a picture. */
export function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "data") Object.assign(made.dataset, value);
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Say a duration in its largest unit, as the commands do. */
export function span(ms) {
  const seconds = Math.floor(ms / 1000);
  for (const [size, unit] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)}${unit}`;
  return `${seconds}s`;
}

function distance(at) {
  const ms = at - Date.now();
  return ms > 0 ? `in ${span(ms)}` : `${span(-ms)} ago`;
}

/** The local time of an instant, as short as it stays clear; the commands have it so. */
export function clock(at) {
  const here = new Date(at), today = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const time = `${two(here.getHours())}:${two(here.getMinutes())}`;
  if (here.toDateString() === today.toDateString()) return `${time}:${two(here.getSeconds())}`;
  const day = `${two(here.getMonth() + 1)}-${two(here.getDate())} ${time}`;
  return here.getFullYear() === today.getFullYear() ? day : `${here.getFullYear()}-${day}`;
}

const SAID = {
  distance,
  age: (at) => span(Math.max(0, Date.now() - at)),
  instant: (at) => `${clock(at)} (${distance(at)})`,
  clock,
};

/** An instant that `tick` keeps current, said as one of `SAID`; nothing for null. `due`: what to say once it has come. */
export function moment(text, { as = "distance", due = "" } = {}) {
  if (!text) return "";
  const made = el("time", { datetime: text, title: text, data: { at: Date.parse(text), as, due } });
  refresh(made);
  return made;
}

function refresh(time) {
  const at = Number(time.dataset.at);
  const said = time.dataset.due && at <= Date.now() ? time.dataset.due : SAID[time.dataset.as](at);
  if (time.textContent !== said) time.textContent = said;
}

/** Let every shown instant say what it is by now. */
export function tick() {
  for (const time of document.querySelectorAll("time[data-at]")) refresh(time);
}

export function state(word) {
  return el("span", { class: `state ${word}` }, word);
}

/** A link within the page. */
export function to(path, key, ...children) {
  return el("a", { href: path, data: key ? { key } : {} }, children);
}

/** A link elsewhere, if it is one that a browser may follow to a page; else its text. */
export function link(url) {
  const isWeb = /^https?:\/\//i.test(url);
  return isWeb ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url) : el("code", {}, url);
}

export function button(label, act, key, more = {}) {
  return el("button", { type: "button", onclick: act, data: { key }, ...more }, label);
}

/** Names and what is to be said of them, without those of which there is nothing. */
export function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", {}, told.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** A table that says what it is; `rows` are [key, signature, cells()] and are rewritten only when changed. */
export function table(caption, heads, { isWide = false } = {}) {
  const body = el("tbody", { role: "rowgroup" });
  const titles = heads.map((head) => el("th", { scope: "col", role: "columnheader" }, head));
  const whole = el("table", { role: "table", class: isWide ? "wide" : "narrow" },
    el("caption", { class: "unseen" }, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, titles)),
    body);
  const frame = el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, whole);
  const known = new Map();
  frame.show = (rows) => {
    const wanted = new Map(rows.map(([key, signature, cells]) => [key, rowOf(known.get(key), signature, cells, heads)]));
    known.clear();
    for (const [key, row] of wanted) known.set(key, row);
    keepingFocus(() => replace(body, [...wanted.values()].map((row) => row.element)));
  };
  return frame;
}

function rowOf(before, signature, cells, heads) {
  if (before && before.signature === signature) return before;
  const made = cells().map((cell, n) => el("td", { role: "cell", data: { head: heads[n] } }, cell));
  return { signature, element: el("tr", { role: "row" }, made) };
}

/** Show these children; those that stay are not touched, so that what is selected or scrolled in them stays too. */
export function replace(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

/** Elements that are made anew only when what they show has changed. */
export function keeper() {
  const known = new Map();
  return (key, value, make) => {
    const signature = JSON.stringify(value);
    if (known.get(key)?.signature !== signature) known.set(key, { signature, element: make() });
    return known.get(key).element;
  };
}

/**
 * Do it, and have the focus be on the element of the same key afterwards. Where that is gone (a watch that was
 * stopped has no button to stop it), on the link of the same thing, else on the title.
 */
export function keepingFocus(change) {
  const key = document.activeElement?.dataset?.key;
  change();
  if (!key || document.activeElement?.dataset?.key === key) return;
  const keyed = (name) => document.querySelector(`[data-key="${CSS.escape(name)}"]`);
  const next = keyed(key) ?? keyed(`open-${key.slice(key.indexOf("-") + 1)}`) ?? document.querySelector("main .title");
  next?.focus({ preventScroll: true });
}
