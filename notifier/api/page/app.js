// Puts the live page in the place of the one that came with it: views by hash, changes by stream.

import { actions } from "./actions.js";
import { listen } from "./api.js";
import { deliveryView, watchView } from "./detail.js";
import { el, keepingFocus, tick } from "./dom.js";
import { overview } from "./overview.js";
import { Known } from "./store.js";

const COUNTS_EVERY_MS = 2000;
const main = document.getElementById("main");
const title = main.querySelector("h1");
const said = document.getElementById("said");
const connection = document.getElementById("connection");

let isDrawing = false;
let areCountsOld = false;
let open = null; // the id of the watch or delivery that is shown, or null for the first view
let viewing = 0;
let forgetting = 0;

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
    if (first.element.parentNode !== main) main.replaceChildren(title, first.element);
  });
}

async function readAll() {
  try {
    await known.read();
    if (open) await showDetail(false);
  } catch (error) {
    if (error.status === 401) connection.textContent = "not let in any more: notifier open makes a new link";
    else connection.textContent = error.message;
  }
}

async function refresh() {
  areCountsOld = true;
  if (open) await showDetail(false);
}

function change(kind, thing) {
  known.take(kind, thing);
  areCountsOld = true;
  if (open && (thing.id === open || thing.watch_id === open)) showDetail(false);
}

/** Show the watch or delivery that the address names; `isNew` moves the focus to it. */
async function showDetail(isNew) {
  const [, kind, id] = location.hash.split("/");
  const turn = ++viewing;
  try {
    const view = await (kind === "watches" ? watchView : deliveryView)(id, acts);
    if (turn !== viewing) return;
    keepingFocus(() => main.replaceChildren(title, view));
    if (isNew) view.querySelector(".title").focus();
  } catch (error) {
    if (turn === viewing) {
      main.replaceChildren(title, el("p", {}, error.message), el("p", {}, el("a", { href: "#/" }, "All watches")));
    }
  }
}

/** Go where the address says: #/?watches=failed&deliveries=dead, #/watches/ID, #/deliveries/ID. */
function route(isNew) {
  if (location.hash && !location.hash.startsWith("#/")) return; // the skip link
  const [, kind, id] = location.hash.split("/");
  const wasOpen = open;
  open = ["watches", "deliveries"].includes(kind) && id ? id : null;
  viewing++;
  if (open) {
    showDetail(isNew);
    return;
  }
  const wanted = new URLSearchParams(location.hash.split("?")[1] ?? "");
  const filters = { watches: wanted.get("watches") ?? "", deliveries: wanted.get("deliveries") ?? "" };
  const isOther = JSON.stringify(filters) !== JSON.stringify(known.filters);
  known.filters = filters;
  if (isOther) readAll();
  draw();
  if (wasOpen) main.focus();
}

main.addEventListener("click", (event) => {
  const { filter, state } = event.target.closest("[data-filter]")?.dataset ?? {};
  if (filter) location.hash = `#/?${new URLSearchParams({ ...known.filters, [filter]: state })}`;
});
addEventListener("hashchange", () => route(true));
setInterval(tick, 1000);
setInterval(() => {
  if (!areCountsOld || document.hidden) return;
  areCountsOld = false;
  known.readCounts().catch(() => { areCountsOld = true; });
}, COUNTS_EVERY_MS);
listen({ onOpen: readAll, on: change, tell: (text) => { connection.textContent = text; } });
route(false);
