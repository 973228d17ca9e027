// A p-chart: the share of defects in each step of time, with control limits.

import { el } from "./dom.js";
import { controlChart, legend } from "./plot.js";
import { counted, percent } from "./words.js";

const SIGMAS = 3;

/**
 * The mean share and, for each step, its share and control limits (three standard deviations of the binomial).
 * Steps are {begin, parts, defects}.
 */
export function controlled(steps) {
  const parts = steps.reduce((sum, each) => sum + each.parts, 0);
  const mean = parts ? steps.reduce((sum, each) => sum + each.defects, 0) / parts : 0;
  const points = steps.map((each, slot) => {
    const wide = SIGMAS * Math.sqrt((mean * (1 - mean)) / each.parts);
    const value = each.defects / each.parts;
    const [low, high] = [Math.max(0, mean - wide), Math.min(1, mean + wide)];
    return { ...each, slot, value, low, high, outside: value > high || value < low };
  });
  return { mean, points: points.filter((each) => each.parts) };
}

/**
 * The chart as a drawing, and the same as a table. `say` turns the begin of a step into words, `noun` is what a step
 * is, and `wide` is the room in pixels.
 */
export function chart(steps, { say, noun, wide }) {
  const { mean, points } = controlled(steps);
  if (!points.length) return [el("p", { class: "muted" }, "No parts were inspected in this time.")];
  const top = nice(Math.max(...points.map((each) => Math.max(each.value, each.high))));
  const outside = points.filter((each) => each.outside).length;
  const words = `Mean share of defects: ${percent(mean)}. `
    + `${outside ? counted(outside, `${noun} is`, `${noun}s are`) : `No ${noun} is`} outside the control limits.`;
  const told = points.map((each) => ({
    ...each, words: `${say(each.begin)}: ${each.defects} of ${counted(each.parts, "part")}, ${percent(each.value)}`,
  }));
  const slots = steps.map((each) => say(each.begin));
  return [controlChart(told, { slots, range: [0, top], mean, say: percent, words, wide }),
    el("p", {}, words), legend("share of defects"), table(points, say)];
}

function table(points, say) {
  const row = (each) => el("tr", {}, el("th", { scope: "row" }, say(each.begin)), el("td", {}, String(each.parts)),
    el("td", {}, String(each.defects)), el("td", {}, percent(each.value)), el("td", {}, `${percent(each.low)} to ${percent(each.high)}`),
    el("td", {}, each.outside ? "outside" : ""));
  const head = ["Time", "Parts", "Defects", "Share", "Limits", ""].map((word) => (word ? el("th", { scope: "col" }, word) : el("td")));
  return el("details", {}, el("summary", {}, "The numbers"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The numbers" },
      el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, points.map(row)))));
}

/** A share that is not smaller, and whose quarters are round. */
function nice(value) {
  const steps = [0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.32, 0.4, 0.6, 0.8, 1];
  return steps.find((each) => each >= value) || 1;
}
