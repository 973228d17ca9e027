// How often there are defects, whether verdicts and people agree, and the table for other programs.

import { ask, query } from "./api.js";
import { chart } from "./chart.js";
import { at, el, fill, tell } from "./dom.js";
import { room } from "./plot.js";
import { begin, chooseProduct } from "./shell.js";
import { clock, counted, outcome, percent, SHOWN } from "./words.js";

const HOUR = 3600;
const DAY = 24 * HOUR;
const TIMES = [
  ["The last 8 hours", 8, HOUR, "hour"],
  ["The last 24 hours", 24, HOUR, "hour"],
  ["The last 7 days", 28, 6 * HOUR, "quarter day"],
  ["The last 30 days", 30, DAY, "day"],
];
const form = at("asked").elements;

begin(async () => {
  fill(form.time, TIMES.map(([words], number) => el("option", { value: String(number) }, words)));
  form.time.value = "1";
  chooseProduct(form.product, await ask("/products"), show);
  form.time.addEventListener("change", show);
  form.type.addEventListener("change", show);
  at("asked").addEventListener("submit", (event) => event.preventDefault());
  await show();
});

async function show() {
  tell(at("trouble"), "");
  const [, number, step, noun] = TIMES[Number(form.time.value)];
  const since = beginOf(step) - (number - 1) * step;
  const asked = { product: form.product.value, since, until: since + number * step };
  at("export").href = `/v1/inspections.csv${query(asked)}`;
  try {
    const [found, agreed] = await Promise.all([ask(`/statistics/series${query({ ...asked, step })}`), ask("/statistics/agreement")]);
    types(found.counts);
    const steps = Array.from({ length: number }, (_, each) => counts(found.counts, since + each * step, step));
    fill(at("chart"), chart(steps, { say: number * step <= DAY ? clock : day, noun, wide: room(at("chart")) }));
    totals(found);
    fill(at("agree"), agreement(agreed));
  } catch (error) {
    tell(at("trouble"), error.message);
  }
}

/** Outcomes of parts that were not judged: they have no part in a rate of defects. */
const WITHOUT_VERDICT = ["unjudged", "failed"];

/** When the current step began, by the clock on the wall. */
function beginOf(step) {
  const now = new Date();
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime() / 1000;
  return midnight + Math.floor((now.getTime() / 1000 - midnight) / step) * step;
}

function counts(all, begin, step) {
  const these = all.filter((each) => Math.abs(each.begin - begin) < step / 2);
  const sum = (rows) => rows.reduce((total, each) => total + each.parts, 0);
  const type = form.type.value;
  const wanted = (each) => each.outcome === "defect" && (!type || named(each) === type);
  return { begin, parts: sum(these.filter((each) => !WITHOUT_VERDICT.includes(each.outcome))), defects: sum(these.filter(wanted)) };
}

const named = (each) => each.defect_type || "no type";

function types(all) {
  const chosen = form.type.value;
  const found = [...new Set(all.filter((each) => each.outcome === "defect").map(named))].sort();
  fill(form.type, el("option", { value: "" }, "All types"), found.map((type) => el("option", { value: type }, type)));
  form.type.value = found.includes(chosen) ? chosen : "";
}

function totals(found) {
  const of = (name) => found.counts.filter((each) => each.outcome === name).reduce((sum, each) => sum + each.parts, 0);
  fill(at("counts"), SHOWN.map((name) => {
    const kind = outcome(name);
    return el("div", { class: `count is-${kind.tone}` }, el("dt", {}, kind.word), el("dd", {}, String(of(name))));
  }));
  const seconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  at("time").textContent = found.mean_seconds === null ? "" : "From the arrival of a part to its verdict: "
    + `${seconds(found.mean_seconds)} on average, ${seconds(found.most_seconds)} at most.`;
}

function agreement({ reviewed, judged, agree }) {
  if (!reviewed) return "No part was reviewed yet.";
  if (!judged) return `${counted(reviewed, "part")} reviewed. For none of them there was a verdict to compare.`;
  return `${counted(reviewed, "part")} reviewed. Where there was a verdict, the person agreed in ${agree} of ${judged} cases (${percent(agree / judged)}).`;
}

const day = (seconds) => new Date(seconds * 1000).toLocaleDateString([], { day: "numeric", month: "short" });
