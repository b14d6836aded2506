// Troubles and what to do about them, in the words that the daemon and the commands have for them.

import { el, moment } from "./dom.js";
import { WORDS } from "./words.js";

/** What to do about an attempt; empty for one that was taken. */
export function adviceOf({ status, fault }) {
  if (status === null) return WORDS.advice.fault[fault] ?? "";
  if (status >= 200 && status <= 299) return "";
  return WORDS.advice.status.find(([first, last]) => first <= status && status <= last)[2];
}

/** A sentence of the daemon's, with each instant in it as a person reads it. */
export function timed(text) {
  return text.split(/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)/).map((piece, n) => (n % 2 ? moment(piece, { as: "instant" }) : piece));
}

export function trouble(text) {
  return el("span", { class: "trouble" }, timed(text));
}

/** What the daemon says to do about the cause of a trouble; nothing where there is none. */
export function fixOf(cause) {
  return fix(cause?.fix);
}

export function fix(text) {
  return text ? el("span", { class: "fix" }, `fix: ${text}`) : null;
}

/** Why a task did not complete, and who says so. */
export function errorOf({ source, code, title, detail }) {
  const sentences = [title, detail].map((each) => each?.trim()).filter(Boolean);
  const last = sentences.pop() ?? "";
  const text = [...sentences.map((each) => (/[.!?:]$/.test(each) ? each : `${each}.`)), last].join(" ");
  return `${[code === null ? "" : String(code), text].filter(Boolean).join(": ")} (says the ${source})`;
}

/** A name of a field, as the commands write it. */
export function nameOf(field) {
  return field.replaceAll("_", " ");
}

/** Put values into the places of a text. */
export function told(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** One word for a shell. */
export function quoted(text) {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
