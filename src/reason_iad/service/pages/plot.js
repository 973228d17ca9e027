// Draws control charts: values over time, their mean, and limits that chance alone seldom passes.

import { el, svg } from "./dom.js";

const HIGH = 320;
const EDGE = { left: 56, right: 14, top: 14, bottom: 34 };
const LABEL = 72; // pixels that a time needs

/**
 * A control chart. Points are {slot, value, low, high, outside, words}; `slots` are the words under the axis, `range`
 * is what the axis shows, `say` turns a value into words, `words` says what the drawing shows.
 */
export function controlChart(points, { slots, range, mean, say, words, wide }) {
  const across = (wide - EDGE.left - EDGE.right) / slots.length;
  const x = (slot) => EDGE.left + (slot + 0.5) * across;
  const y = (value) => HIGH - EDGE.bottom - ((value - range[0]) / (range[1] - range[0])) * (HIGH - EDGE.top - EDGE.bottom);
  const every = Math.max(1, Math.ceil(LABEL / across));
  return svg("svg", { viewBox: `0 0 ${wide} ${HIGH}`, class: "chart", role: "img", "aria-label": words },
    [0, 0.25, 0.5, 0.75, 1].map((part) => line(range[0] + part * (range[1] - range[0]), y, wide, say)),
    slots.map((slot, number) => number % every === 0
      && svg("text", { x: x(number), y: HIGH - 10, "text-anchor": "middle" }, slot)),
    points.map((each) => svg("rect", { class: "band", x: x(each.slot) - across / 2, width: across, y: y(each.high),
      height: Math.max(0.5, y(each.low) - y(each.high)) })),
    svg("line", { class: "mean", x1: EDGE.left, x2: wide - EDGE.right, y1: y(mean), y2: y(mean) }),
    svg("polyline", { class: "shares", points: points.map((each) => `${x(each.slot)},${y(each.value)}`).join(" ") }),
    points.map((each) => point(each, x(each.slot), y(each.value))));
}

/** What the marks mean. */
export function legend(value) {
  const key = (kind, words) => el("span", {}, el("i", { class: `key ${kind}`, "aria-hidden": "true" }), words);
  return el("p", { class: "legend muted small" }, key("k-point", value), key("k-mean", "mean"),
    key("k-band", "control limits: chance alone stays inside"), key("k-outside", "outside the limits"));
}

/** Pixels that a drawing may be wide in this place. */
export const room = (place) => Math.min(1100, Math.max(300, place.clientWidth));

function line(value, y, wide, say) {
  return svg("g", {}, svg("line", { class: "grid", x1: EDGE.left, x2: wide - EDGE.right, y1: y(value), y2: y(value) }),
    svg("text", { x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, say(value)));
}

function point(each, x, y) {
  const shape = each.outside
    ? svg("path", { class: "outside", d: `M${x - 7} ${y + 6}L${x} ${y - 8}L${x + 7} ${y + 6}Z` })
    : svg("circle", { class: "point", cx: x, cy: y, r: 4.5 });
  shape.append(svg("title", {}, each.words));
  return shape;
}
