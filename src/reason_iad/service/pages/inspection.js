// One inspection: what came out, what people said of it, and the whole report.

import { ask } from "./api.js";
import { at, el, fill, linked } from "./dom.js";
import { judging } from "./judge.js";
import { framed, marked, pictureOf, sizeOf, templated } from "./picture.js";
import { begin, may } from "./shell.js";
import { outcomeOf, time } from "./words.js";

const number = Number(location.pathname.split("/").pop());
const LOOK_AGAIN_MS = 500;
const SAID = { good: "good", defect: "a defect", skip: "skipped", undo: "took the last review back" };

let me = null;
let open = null;

begin(async (who) => {
  me = who;
  document.title = `Inspection ${number} · Reason-IAD`;
  at("title").textContent = `Inspection ${number}`;
  await load();
});

async function load() {
  const details = await ask(`/inspections/${number}`);
  const { part } = details;
  if (part.state === "waiting" || part.state === "working") setTimeout(load, LOOK_AGAIN_MS);
  if (open) open.close();
  open = null;
  if (part.state === "done" && may(me, "review") && part.review === null) await judge(details);
  else fill(at("outcome"), plain(details));
  at("judge").hidden = !open;
  reviews(details.reviews, part);
  report(part);
}

async function judge(details) {
  const { defects } = await ask(`/products/${encodeURIComponent(details.part.product)}`).catch(() => ({ defects: {} }));
  open = judging(details, Object.keys(defects), { after: (_, answer) => said(answer) });
  fill(at("judge"), open.element);
  fill(at("outcome"));
}

function plain(details) {
  const { part } = details;
  const found = outcomeOf(part);
  return el("div", { class: `judge is-${found.tone}` },
    framed(pictureOf(number), `The part ${part.name}`, sizeOf(details), marked(details)),
    el("div", { class: "stack" },
      el("p", { class: "badge" }, el("span", { "aria-hidden": "true" }, `${found.mark} `), found.word),
      el("p", {}, part.explanation || part.error || ""),
      el("p", { class: "muted small" }, `${part.product} · ${part.name} · ${time(part.received)}`),
      templated(part),
      part.review && el("p", {}, el("strong", {}, part.review === "good" ? "A person said: good." : "A person said: defect.")),
      part.review && may(me, "review")
        && el("button", { type: "button", class: "act", onclick: undo }, "Take the review back")));
}

async function undo() {
  said(await ask(`/inspections/${number}/review`, { method: "POST", json: { says: "undo" } }));
}

function said(answer) {
  fill(at("said"), answer.words, answer.contradicts && el("strong", {}, " ", linked(answer.contradicts)));
  load();
}

function reviews(given, part) {
  at("reviews").hidden = !given.length;
  const lines = given.map((each) => {
    const type = each.defect_type ? ` (${each.defect_type})` : "";
    const box = each.box ? ", marked with a box" : "";
    return el("li", {}, el("span", {}, el("strong", {}, each.person), `: ${SAID[each.says] || each.says}${type}${box}`),
      el("span", { class: "muted small" }, ` ${time(each.at)}`));
  });
  const says = part.review && { good: part.outcome === "defect", defect: part.outcome === "pass" }[part.review];
  fill(at("reviews"), el("h2", { id: "reviews-title" }, "What people said"), el("ol", { class: "history" }, lines),
    says && el("p", { class: "is-review" }, "Verdict and person do not agree."));
}

/** The report is a page of its own without scripts; its frame gets as tall as it is. */
function report(part) {
  at("report").hidden = part.state !== "done";
  if (part.state !== "done" || at("report").querySelector("iframe")) return;
  const source = `/v1/inspections/${number}/report`;
  const frame = el("iframe", { src: source, sandbox: "allow-same-origin", title: "Report", class: "report" });
  const fit = () => {
    const page = frame.contentDocument && frame.contentDocument.documentElement;
    if (page) frame.style.height = `${page.scrollHeight + 2}px`;
  };
  frame.addEventListener("load", fit);
  addEventListener("resize", fit);
  at("report").append(frame, el("p", {}, el("a", { href: source, target: "_blank", rel: "noopener" }, "Open the report alone")));
}
