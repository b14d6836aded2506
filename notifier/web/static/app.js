// Puts the live page in the place of the one that came with it: views by address, changes by stream.

import { actions } from "./actions.js";
import { RELOAD_MS, listen } from "./api.js";
import { deliveryView, watchView } from "./detail.js";
import { el, tick, to } from "./dom.js";
import { overview } from "./overview.js";
import { Known, USUAL } from "./store.js";

const COUNTS_EVERY_MS = 2000;
const main = document.getElementById("main");
const said = document.getElementById("said");
const connection = document.getElementById("connection");
const search = document.querySelector("[role=search]");

let isDrawing = false;
let areCountsOld = false;
let open = null; // the view of the watch or delivery that is shown, or null for the first view
let viewing = 0;
let forgetting = 0;
let again = 0;
let stream = ["", false]; // how the connection stands, for when all can be read

const known = new Known(draw);
const acts = actions({ say, refresh });
const first = overview(known, acts);

function say(text) {
  said.textContent = text;
  clearTimeout(forgetting);
  forgetting = setTimeout(() => said.replaceChildren(), 8000);
}

/** Show what is known, with the next frame at the earliest; a hidden page waits. */
function draw() {
  if (isDrawing || open) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    if (open || !known.isRead) return;
    first.show();
    place(first.element);
  });
}

function place(element) {
  if (element.parentNode !== main) main.replaceChildren(element);
}

/** Read everything; where that fails, try again: the stream may be whole, and then nothing else would. */
async function readAll() {
  clearTimeout(again);
  try {
    await known.read();
    connected(...stream);
    if (open) await showDetail(false);
  } catch (error) {
    clearTimeout(again);
    again = setTimeout(readAll, RELOAD_MS);
    if (error.status === 401) connected("not let in any more: notifier open makes a new link", false);
    else connected(error.message, false);
  }
}

async function refresh() {
  areCountsOld = true;
  if (open) await showDetail(false);
}

function change(kind, thing) {
  known.take(kind, thing);
  areCountsOld = true;
  if (open?.concerns(thing)) showDetail(false);
}

/** Show what `open` is a view of, as it stands now; `isNew` moves the focus to its title. */
async function showDetail(isNew) {
  const view = open, turn = ++viewing;
  try {
    const title = await view.show(() => turn === viewing);
    if (turn !== viewing) return;
    place(view.element);
    document.title = `${title} · notifier`;
    if (isNew) view.element.querySelector(".title").focus();
  } catch (error) {
    if (turn === viewing) main.replaceChildren(el("p", {}, error.message), el("p", {}, to("/", "back", "All watches")));
  }
}

/** Go where the address says: /?watches=failed&deliveries=dead, /?task=ID, /watches/ID, /deliveries/ID. */
function route(isNew) {
  const [, kind, id] = location.pathname.split("/");
  const wasOpen = open;
  viewing++;
  if (["watches", "deliveries"].includes(kind) && id) {
    open = (kind === "watches" ? watchView : deliveryView)(id, acts);
    showDetail(isNew);
    return;
  }
  open = null;
  const wanted = new URLSearchParams(location.search);
  const filters = Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, wanted.get(name) ?? usual]));
  search.elements.task.value = filters.task;
  const isOther = JSON.stringify(filters) !== JSON.stringify(known.filters);
  known.filters = filters;
  if (isOther && isNew) readAll();
  else draw();
  if (wasOpen) main.focus();
}

function go(path) {
  if (path !== location.pathname + location.search) history.pushState(null, "", path);
  route(true);
}

/** Follow a link within the page without loading it anew; whoever wants another tab gets one. */
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const isPlain = !event.defaultPrevented && event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !isPlain || link.target || !/^\/(\?|$|watches\/|deliveries\/)/.test(link.getAttribute("href"))) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
search.addEventListener("submit", (event) => {
  event.preventDefault();
  const sought = search.elements.task.value.trim();
  if (/^wch_\w{26}$/.test(sought)) go(`/watches/${sought}`);
  else if (/^dlv_\w{26}$/.test(sought)) go(`/deliveries/${sought}`);
  else go(sought ? `/?${new URLSearchParams({ task: sought })}` : "/");
});

function connected(text, isLive) {
  if (connection.textContent !== text) connection.textContent = text;
  connection.className = isLive ? "live" : "cut";
}

addEventListener("popstate", () => route(true));
setInterval(tick, 1000);
setInterval(() => {
  if (!(areCountsOld || known.isPlotDue) || document.hidden || open) return;
  areCountsOld = false;
  known.readCounts().catch(() => { areCountsOld = true; });
}, COUNTS_EVERY_MS);
listen({
  onOpen: readAll, on: change,
  tell(...how) {
    stream = how;
    connected(...how);
  },
});
route(false);
