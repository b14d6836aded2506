// The plots, live: the same drawing as the daemon's (drawing.py), from the same figures.

import { el, replace, shape, table } from "./dom.js";

const WIDTH = 320, HEIGHT = 150;
const BASE = 126, TOP = 18;
const BAR_SHARE = 0.72;
const LEAST = 2;
const RANGES_DRAWN = 4;
const ROW = 36, TEXT = 14, TRACK = 20, THICK = 8;

/** All four, in frames that stay, so that an opened table stays open; `show` draws what has changed. */
export function plots() {
  const element = el("div", { class: "plots" });
  const frames = {
    durations: frame("durations", ["API path", "Tasks", "5 % within", "Half within", "90 % within"], ranges, rangeRows),
    notice: frame("notice", ["Up to", "Tasks"], bars, barRows),
    polls: frame("polls", ["Up to", "Tasks"], bars, barRows),
    callbacks: frame("callbacks", ["Up to", "Callbacks"], bars, barRows),
  };
  element.append(...Object.values(frames).map((each) => each.element));
  element.show = (body) => {
    for (const [name, each] of Object.entries(frames)) each.show(body[name]);
  };
  return element;
}

function frame(name, heads, shapesOf, rowsOf) {
  const caption = el("figcaption");
  const picture = el("div", { class: "picture" });
  const about = el("p");
  let twin = null;
  const details = el("details", {}, el("summary", {}, "as a table"), about);
  const element = el("figure", { data: { plot: name } }, caption, picture, details);
  let shown = "";
  function show(plot) {
    if (JSON.stringify(plot) === shown) return;
    shown = JSON.stringify(plot);
    replace(caption, [el("h3", {}, plot.title), el("p", {}, plot.said)]);
    replace(picture, [svg(name, plot, shapesOf(plot))]);
    about.textContent = plot.about;
    if (!twin) details.append(twin = table(plot.title, heads));
    twin.show(rowsOf(plot));
  }
  return { element, show };
}

function svg(name, plot, shapes) {
  return shape("svg", {
    role: "img", "aria-labelledby": `${name}-title ${name}-desc`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT,
  },
  shape("title", { id: `${name}-title` }, plot.title),
  shape("desc", { id: `${name}-desc` }, `${plot.said}. ${plot.about}`),
  shapes);
}

function bars(plot) {
  if (!plot.bars.length) return [line()];
  const step = WIDTH / plot.bars.length;
  const most = Math.max(1, ...plot.bars.map((bar) => bar.count));
  const width = near(step * BAR_SHARE);
  return [line(), ...plot.bars.flatMap((bar, number) => {
    const middle = number * step + step / 2;
    const height = bar.count ? Math.max(LEAST, near((BASE - TOP) * bar.count / most)) : 0;
    return [
      rect("bar", near(middle - width / 2), BASE - height, width, height),
      bar.count ? text("count", near(middle), BASE - height - 4, String(bar.count), "middle") : null,
      text("edge", near(middle), HEIGHT - 8, bar.label, "middle"),
    ];
  })];
}

function ranges(plot) {
  const shown = plot.ranges.slice(0, RANGES_DRAWN);
  if (!shown.length) return [line()];
  const longest = Math.max(...shown.map((each) => each.high_s)) || 1;
  return shown.flatMap((each, number) => {
    const top = number * ROW;
    const [low, middle, high] = [each.low_s, each.middle_s, each.high_s].map((at) => near(WIDTH * at / longest));
    const said = `half within ${seconds(each.middle_s)} s`;
    return [
      text("edge", 0, top + TEXT, each.label, "start"),
      text("count", WIDTH, top + TEXT, said, "end"),
      rect("track", 0, top + TRACK, WIDTH, THICK),
      rect("bar", low, top + TRACK, Math.max(LEAST, high - low), THICK),
      rect("mark", Math.min(middle, WIDTH - 3), top + TRACK - 2, 3, THICK + 4),
    ];
  });
}

function barRows(plot) {
  return plot.bars.map((bar) => [bar.label, String(bar.count), () => [bar.label, String(bar.count)]]);
}

function rangeRows(plot) {
  return plot.ranges.map((each, n) => [n, JSON.stringify(each), () => [
    each.api_path, String(each.count), ...[each.low_s, each.middle_s, each.high_s].map((at) => `${seconds(at)} s`)]]);
}

function seconds(value) {
  const tenths = near(value * 10);
  return tenths < 100 ? `${Math.floor(tenths / 10)}.${tenths % 10}` : String(near(value));
}

const near = (value) => Math.floor(value + 0.5);
const line = () => shape("path", { class: "base", d: `M0 ${BASE}.5H${WIDTH}` });
const rect = (kind, x, y, width, height) => shape("rect", { class: kind, x, y, width, height });
const text = (kind, x, y, words, anchor) => shape("text", { class: kind, x, y, "text-anchor": anchor }, words);
