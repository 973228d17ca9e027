// How far the last parts of a product stood out: their distribution, what another limit would do, and their drift.

import { el, fill, svg } from "./dom.js";
import { controlChart, legend, room } from "./plot.js";
import { clock, counted, time } from "./words.js";

const BINS = 40;
const HIGH = 190;
const EDGE = { side: 14, top: 22, bottom: 30 };
const GROUP = 20; // parts of one point of the drift
const GROUPS = 24;
const SIGMAS = 3;

/** What a limit would do to parts: {score, review}. */
export function effect(parts, limit) {
  const stopped = (each) => each.score >= limit;
  return {
    stopped: parts.filter(stopped).length,
    falseAlarms: parts.filter((each) => each.review === "good" && stopped(each)).length,
    misses: parts.filter((each) => each.review === "defect" && !stopped(each)).length,
  };
}

/** Means of groups of parts one after the other, with control limits for a mean; parts that were stopped are left out. */
export function drift(parts) {
  const passed = parts.filter((each) => each.outcome === "pass").slice(-GROUP * GROUPS);
  const first = passed.length % GROUP;
  const groups = [];
  for (let at = first; at < passed.length; at += GROUP) groups.push(passed.slice(at, at + GROUP));
  const mean = average(passed.map((each) => each.score));
  const within = Math.sqrt(average(groups.map((group) => variance(group.map((each) => each.score)))));
  const wide = (SIGMAS * within) / Math.sqrt(GROUP);
  const points = groups.map((group, slot) => {
    const value = average(group.map((each) => each.score));
    return { slot, begin: group[0].received, value, low: mean - wide, high: mean + wide, outside: Math.abs(value - mean) > wide };
  });
  return { mean, points };
}

/** Fill a place with all that is told of the scores. `limit` is the one below which parts pass, or null. */
export function showScores(place, parts, limit) {
  if (parts.length < 2) {
    fill(place, el("p", { class: "muted" }, "When parts of this product were inspected, their scores are shown here."));
    return;
  }
  const values = parts.map((each) => each.score).sort((a, b) => a - b);
  const far = Math.max(values[Math.floor(0.95 * (values.length - 1))], (limit || 0) * 1.6, values[0] + 0.1);
  const [from, to] = [values[0], far];
  const begin = limit === null ? (from + to) / 2 : limit;
  const words = el("p", { role: "status" });
  const picture = el("div", {});
  const slider = el("input", { id: "try", type: "range", min: String(from), max: String(to), step: String((to - from) / 200), value: String(begin) });
  const update = () => {
    const wanted = Number(slider.value);
    words.textContent = said(parts, wanted);
    fill(picture, histogram(parts, { from, to, limit, wanted, wide: room(place) }));
  };
  slider.addEventListener("input", update);
  fill(place, el("p", { class: "muted" }, "The score says how far a part stands out from good parts. The newest parts are shown."),
    picture, el("label", { class: "slide", for: "try" }, "Try another limit", slider), words, drifting(parts, place));
  update();
}

function said(parts, limit) {
  const { stopped, falseAlarms, misses } = effect(parts, limit);
  const good = parts.filter((each) => each.review === "good").length;
  const bad = parts.filter((each) => each.review === "defect").length;
  const known = [
    good && `Of ${counted(good, "part")} that people called good, ${falseAlarms} would be stopped.`,
    bad && `Of ${counted(bad, "part")} that people called defective, ${misses} would pass.`,
  ].filter(Boolean);
  return [`With the limit ${limit.toFixed(2)}, ${stopped} of the last ${counted(parts.length, "part")} would be stopped.`, ...known].join(" ");
}

function histogram(parts, { from, to, limit, wanted, wide }) {
  const bins = Array.from({ length: BINS }, () => ({ pass: 0, stop: 0 }));
  for (const each of parts) {
    const bin = bins[Math.min(BINS - 1, Math.floor(((each.score - from) / (to - from)) * BINS))];
    bin[each.score >= wanted ? "stop" : "pass"] += 1;
  }
  const most = Math.max(...bins.map((bin) => bin.pass + bin.stop));
  const across = (wide - 2 * EDGE.side) / BINS;
  const x = (score) => EDGE.side + ((score - from) / (to - from)) * (wide - 2 * EDGE.side);
  const tall = (number) => (number / most) * (HIGH - EDGE.top - EDGE.bottom);
  const floor = HIGH - EDGE.bottom;
  const bar = (number, below, kind, at) => number > 0 && svg("rect", { class: kind, x: EDGE.side + at * across + 1,
    width: across - 2, y: floor - tall(below + number), height: Math.max(1.5, tall(number)) });
  const mark = (score, kind) => svg("line", { class: kind, x1: x(score), x2: x(score), y1: EDGE.top, y2: floor });
  const word = (at, text, anchor, y = HIGH - 10) => svg("text", { x: at, y, "text-anchor": anchor }, text);
  const words = `Distribution of ${counted(parts.length, "score")} from ${from.toFixed(1)} to more than ${to.toFixed(1)}`;
  const inside = limit !== null && limit <= to && limit >= from;
  return svg("svg", { viewBox: `0 0 ${wide} ${HIGH}`, class: "chart", role: "img", "aria-label": words },
    bins.map((bin, at) => [bar(bin.pass, 0, "bar-pass", at), bar(bin.stop, bin.pass, "bar-stop", at)]),
    svg("line", { class: "grid", x1: EDGE.side, x2: wide - EDGE.side, y1: floor, y2: floor }),
    inside && [mark(limit, "limit"), word(Math.min(x(limit), wide - 50), "limit", "middle", 14)], mark(wanted, "wanted"),
    word(EDGE.side, from.toFixed(1), "start"), word(wide - EDGE.side, `${to.toFixed(1)} and more`, "end"));
}

function drifting(parts, place) {
  const { mean, points } = drift(parts);
  const title = el("h3", {}, "Drift");
  if (points.length < 3) return [title, el("p", { class: "muted" }, `The drift is shown from ${3 * GROUP} passed parts on.`)];
  const outside = points.filter((each) => each.outside).length;
  const words = outside
    ? `${counted(outside, "group is", "groups are")} outside the control limits: light, camera or parts may have changed.`
    : "No group is outside the control limits.";
  const ends = points.flatMap((each) => [each.value, each.low, each.high]);
  const pad = 0.1 * (Math.max(...ends) - Math.min(...ends)) || 0.1;
  const range = [Math.min(...ends) - pad, Math.max(...ends) + pad];
  const told = points.map((each) => ({ ...each, words: `from ${time(each.begin)}: mean score ${each.value.toFixed(2)}` }));
  const drawing = controlChart(told, { slots: points.map((each) => clock(each.begin)), range, mean,
    say: (value) => value.toFixed(1), words, wide: room(place) });
  return [title, drawing, el("p", {}, words), legend(`mean score of ${GROUP} passed parts`)];
}

const average = (values) => values.reduce((sum, each) => sum + each, 0) / values.length;

function variance(values) {
  const mean = average(values);
  return values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, values.length - 1);
}
