// Send many deliveries again: say what, see how many that is, then do it.

import { el } from "./dom.js";
import { WORDS } from "./words.js";

const SPANS = [["1 h", 3600], ["6 h", 6 * 3600], ["24 h", 86400], ["7 days", 7 * 86400], ["ever", 0]];

/** A form behind a fold; `show` tells it which receivers there are. */
export function replay(acts) {
  const state = select("replay-state", [["dead", "dead"], ["delivered", "delivered"], ["dead and delivered", ""]]);
  const since = select("replay-since", SPANS.map(([name, seconds]) => [name, String(seconds)]));
  const known = el("datalist", { id: "replay-urls" });
  const url = el("input", {
    id: "replay-url", type: "url", list: "replay-urls", placeholder: "any receiver", autocomplete: "off", spellcheck: "false",
  });
  const send = el("button", { type: "button", disabled: true, data: { key: "replay-send" } }, "send again");
  const said = el("p", { role: "status" });
  let wanted = null;

  const form = el("form", { class: "replay" },
    field("State", state), field("Made in the last", since), field("Callback URL", url), known,
    el("div", { class: "actions" }, el("button", { data: { key: "replay-count" } }, "count"), send), said);

  /** What is asked for: the API wants at least one filter, and "ever" with nothing else is said as a date. */
  function query() {
    const seconds = Number(since.value);
    const from = seconds ? Date.now() - seconds * 1000 : 0;
    const body = { since: new Date(from).toISOString() };
    if (state.value) body.state = state.value;
    if (url.value.trim()) body.url = url.value.trim();
    return body;
  }

  async function ask(body) {
    try {
      return (await acts.post("/v1/deliveries/replay", body)).matched;
    } catch (error) {
      said.textContent = `Not done: ${error.message}`;
      return null;
    }
  }

  form.addEventListener("input", () => {
    wanted = null;
    send.disabled = true;
    said.textContent = "";
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = wanted = query();
    const matched = await ask({ ...asked, dry_run: true });
    if (matched === null || asked !== wanted) return;
    said.textContent = `${counted(matched)} ${matched === 1 ? "matches" : "match"}; sent again are ${WORDS.again}.`;
    send.disabled = !matched;
  });
  send.addEventListener("click", async () => {
    send.disabled = true;
    const matched = await ask(wanted);
    if (matched === null) return;
    said.textContent = "";
    acts.say(`${counted(matched)}: sent again, 10 a second`);
    await acts.refresh();
  });

  const element = el("details", { class: "fold" }, el("summary", { data: { key: "replay" } }, "Replay many"), form);
  element.show = (endpoints) => {
    const urls = endpoints.map((each) => each.url);
    if (known.dataset.urls === urls.join(" ")) return;
    known.dataset.urls = urls.join(" ");
    known.replaceChildren(...urls.map((value) => el("option", { value })));
  };
  return element;
}

const counted = (number) => `${number} ${number === 1 ? "delivery" : "deliveries"}`;

function select(id, options) {
  return el("select", { id }, options.map(([name, value]) => el("option", { value }, name)));
}

function field(name, input) {
  return el("div", {}, el("label", { for: input.id }, name), input);
}
