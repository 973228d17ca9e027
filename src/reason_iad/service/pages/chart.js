// A p-chart: the share of defects in each step of time, with limits that chance alone seldom passes.

import { el, svg } from "./dom.js";
import { counted, percent } from "./words.js";

const WIDE = 900;
const HIGH = 320;
const EDGE = { left: 56, right: 14, top: 14, bottom: 34 };
const SIGMAS = 3;

/**
 * The mean share and, for each step, its share and control limits (three standard deviations of the binomial).
 * Steps are {begin, parts, defects}.
 */
export function controlled(steps) {
  const parts = steps.reduce((sum, each) => sum + each.parts, 0);
  const mean = parts ? steps.reduce((sum, each) => sum + each.defects, 0) / parts : 0;
  return {
    mean,
    points: steps.filter((each) => each.parts).map((each) => {
      const wide = SIGMAS * Math.sqrt((mean * (1 - mean)) / each.parts);
      const share = each.defects / each.parts;
      const low = Math.max(0, mean - wide);
      const high = Math.min(1, mean + wide);
      return { ...each, share, low, high, outside: share > high || share < low };
    }),
  };
}

/** The chart as a drawing, and the same as a table. `say` turns the begin of a step into words. */
export function chart(steps, say) {
  const { mean, points } = controlled(steps);
  if (!points.length) return [el("p", { class: "muted" }, "No parts were inspected in this time.")];
  const top = nice(Math.max(...points.map((each) => Math.max(each.share, each.high)), 0.01));
  const across = (WIDE - EDGE.left - EDGE.right) / steps.length;
  const x = (begin) => EDGE.left + (steps.findIndex((each) => each.begin === begin) + 0.5) * across;
  const y = (share) => HIGH - EDGE.bottom - (share / top) * (HIGH - EDGE.top - EDGE.bottom);
  const outside = points.filter((each) => each.outside).length;
  const words = `Share of defects in ${counted(points.length, "step")} of time. Mean ${percent(mean)}. `
    + `${outside ? counted(outside, "step is", "steps are") : "No step is"} outside the control limits.`;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "chart", role: "img", "aria-label": words },
    axis(top, y), times(steps, x, across, say),
    points.map((each) => band(each, x(each.begin), across, y)),
    svg("line", { class: "mean", x1: EDGE.left, x2: WIDE - EDGE.right, y1: y(mean), y2: y(mean) }),
    svg("polyline", { class: "shares", points: points.map((each) => `${x(each.begin)},${y(each.share)}`).join(" ") }),
    points.map((each) => point(each, x(each.begin), y(each.share), say)));
  return [drawing, el("p", {}, words), legend(), table(points, say)];
}

function axis(top, y) {
  return [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const share = part * top;
    return svg("g", {}, svg("line", { class: "grid", x1: EDGE.left, x2: WIDE - EDGE.right, y1: y(share), y2: y(share) }),
      svg("text", { x: EDGE.left - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)));
  });
}

function times(steps, x, across, say) {
  const each = Math.max(1, Math.ceil(90 / across));
  return steps.map((step, number) => number % each === 0
    && svg("text", { x: x(step.begin), y: HIGH - 10, "text-anchor": "middle" }, say(step.begin)));
}

function band(each, middle, across, y) {
  const from = { x: middle - across / 2, width: across };
  return svg("rect", { class: "band", ...from, y: y(each.high), height: Math.max(0.5, y(each.low) - y(each.high)) });
}

function point(each, x, y, say) {
  const words = `${say(each.begin)}: ${each.defects} of ${counted(each.parts, "part")}, ${percent(each.share)}`;
  const shape = each.outside
    ? svg("path", { class: "outside", d: `M${x - 7} ${y + 6}L${x} ${y - 8}L${x + 7} ${y + 6}Z` })
    : svg("circle", { class: "point", cx: x, cy: y, r: 4.5 });
  shape.append(svg("title", {}, words));
  return shape;
}

function legend() {
  const key = (kind, words) => el("span", {}, el("i", { class: `key ${kind}`, "aria-hidden": "true" }), words);
  return el("p", { class: "legend muted small" }, key("k-point", "share of defects"), key("k-mean", "mean of this time"),
    key("k-band", "control limits: chance alone stays inside"), key("k-outside", "outside the limits"));
}

function table(points, say) {
  const row = (each) => el("tr", {}, el("th", { scope: "row" }, say(each.begin)), el("td", {}, String(each.parts)),
    el("td", {}, String(each.defects)), el("td", {}, percent(each.share)), el("td", {}, `${percent(each.low)} to ${percent(each.high)}`),
    el("td", {}, each.outside ? "outside" : ""));
  const head = ["Time", "Parts", "Defects", "Share", "Limits", ""].map((word) => (word ? el("th", { scope: "col" }, word) : el("td")));
  return el("details", {}, el("summary", {}, "The numbers"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The numbers" },
      el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, points.map(row)))));
}

/** A number that is not smaller, whose quarters are round. */
function nice(value) {
  const steps = [0.04, 0.08, 0.12, 0.2, 0.4, 0.6, 0.8, 1];
  return steps.find((each) => each >= value) || 1;
}
