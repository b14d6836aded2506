// Elements made from values. Text is only ever text: nothing here reads markup.

const UNITS = [[86400, "d"], [3600, "h"], [60, "m"]];

/** Make an element. `on…` are listeners, `data` is a dataset, the rest attributes; null and false are left out. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "data") Object.assign(made.dataset, value);
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Say a duration in its largest unit, as the commands do. */
export function span(ms) {
  const seconds = Math.floor(ms / 1000);
  for (const [size, unit] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)}${unit}`;
  return `${seconds}s`;
}

/** How long ago, or how long until then. */
function distance(at) {
  const ms = at - Date.now();
  return ms > 0 ? `in ${span(ms)}` : `${span(-ms)} ago`;
}

/** An instant that `tick` keeps current; nothing for null. `due` is what to say once it has come. */
export function moment(text, due = null) {
  if (!text) return "";
  const made = el("time", { datetime: text, title: text, data: { at: Date.parse(text), due: due ?? "" } });
  refresh(made);
  return made;
}

function refresh(time) {
  const at = Number(time.dataset.at);
  const said = time.dataset.due && at <= Date.now() ? time.dataset.due : distance(at);
  if (time.textContent !== said) time.textContent = said;
}

/** Let every shown instant say what it is by now. */
export function tick() {
  for (const time of document.querySelectorAll("time[data-at]")) refresh(time);
}

export function state(word) {
  return el("span", { class: `state ${word}` }, word);
}

/** A link, if it is one that a browser may follow to a page; else its text. */
export function link(url) {
  const isWeb = /^https?:\/\//i.test(url);
  return isWeb ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url) : el("code", {}, url);
}

export function button(label, act, key, more = {}) {
  return el("button", { type: "button", onclick: act, data: { key }, ...more }, label);
}

/** A table that says what it is; `rows` are [key, signature, cells()] and are rewritten only when changed. */
export function table(caption, heads) {
  const body = el("tbody");
  const whole = el("table", {},
    el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    body);
  const frame = el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, whole);
  const known = new Map();
  frame.show = (rows) => {
    const wanted = new Map(rows.map(([key, signature, cells]) => [key, rowOf(known.get(key), signature, cells)]));
    known.clear();
    for (const [key, row] of wanted) known.set(key, row);
    keepingFocus(() => replace(body, [...wanted.values()].map((row) => row.element)));
  };
  return frame;
}

function rowOf(before, signature, cells) {
  if (before && before.signature === signature) return before;
  return { signature, element: el("tr", {}, cells().map((cell) => el("td", {}, cell))) };
}

/** Show these children, touching only what differs. */
export function replace(parent, children) {
  const isSame = parent.children.length === children.length && children.every((child, n) => parent.children[n] === child);
  if (!isSame) parent.replaceChildren(...children);
}

/** Do it, and have the focus be on the element of the same key afterwards. */
export function keepingFocus(change) {
  const key = document.activeElement?.dataset?.key;
  change();
  if (key && document.activeElement?.dataset?.key !== key) {
    document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }
}
