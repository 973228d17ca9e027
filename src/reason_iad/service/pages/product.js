// One product: its limits, its pictures, and what was changed.

import { ask, query } from "./api.js";
import { showCorrections } from "./corrections.js";
import { showDetection } from "./detection.js";
import { at, el, fill, tell } from "./dom.js";
import { effectOf } from "./effect.js";
import { areaOf } from "./painting.js";
import { showScores } from "./scores.js";
import { begin, may } from "./shell.js";
import { TOGETHER, dropArea, sendAll, templateArea } from "./upload.js";
import { counted, percent } from "./words.js";

const name = decodeURIComponent(location.pathname.split("/").pop());
const path = `/products/${encodeURIComponent(name)}`;
const FIRST = 60; // pictures that are shown at once

let me = null;

begin(async (who) => {
  me = who;
  at("name").textContent = name;
  document.title = `${name} · Reason-IAD`;
  if (may(me, "review")) adding(await ask(path));
  await load();
});

async function load() {
  const [facts, pictures, changes, scores, waiting, detection] = await Promise.all(
    ["", "/pictures", "/history", "/scores", "/corrections", "/detection"].map((what) => ask(`${path}${what}`)));
  const defects = Object.values(facts.defects).reduce((sum, each) => sum + each, 0);
  const some = facts.good_for_limits < facts.good ? ` (${facts.good_for_limits} of them set the limits)` : "";
  at("facts").textContent = `${counted(facts.good, "good picture")}${some}, ${counted(defects, "known defect")}. Change ${facts.revision}.`;
  at("waiting").hidden = !waiting.corrections.length;
  showCorrections(at("corrections"), path, waiting.corrections, may(me, "review") && decide);
  limits(facts);
  showScores(at("scores"), scores, facts.limits && facts.limits.pass_below);
  showDetection(at("detection"), path, detection, may(me, "review"), load);
  area(facts, pictures.good[0]);
  goodParts(pictures.good);
  defectParts(pictures.defects);
  history(changes, facts.revision);
}

/** Do something, say what came of it, and show the product as it is now. Without words, what `run` gives is said. */
async function change(words, run) {
  tell(at("trouble"), "");
  try {
    const given = await run();
    at("said").textContent = words || given;
    await load();
  } catch (error) {
    tell(at("trouble"), error.message);
  }
}

/** Take or drop corrections. */
function decide(what, numbers) {
  const json = { corrections: numbers };
  change(null, async () => (await ask(`${path}/corrections/${what}`, { method: "POST", json })).words);
}

function limits(facts) {
  const share = facts.settings.false_alarms;
  const known = facts.limits
    ? [!facts.limits_are_current && el("p", { class: "is-review said" }, "These limits are from before the last change. The product is learnt again when its next part comes."),
      el("p", {}, facts.limits.words), el("p", { class: "muted" }, facts.limits.promise)]
    : [el("p", {}, "The product is learnt when its first part comes. Then the limits are shown here.")];
  const input = el("input", { id: "alarms", type: "number", min: "0.1", max: "50", step: "0.1", required: true, value: String(share * 100) });
  const effect = effectOf(path, () => input.reportValidity() && { path: "trial", sent: { json: { false_alarms: Number(input.value) / 100 } } });
  input.addEventListener("input", effect.clear);
  const save = (event) => {
    event.preventDefault();
    const wanted = Number(input.value) / 100;
    change(`At most ${percent(wanted)} of good parts may be called defective.`, () => ask(path, { method: "PATCH", json: { false_alarms: wanted } }));
  };
  const form = el("form", { class: "stack", onsubmit: save },
    el("label", { for: "alarms" }, "At most this share of good parts may be called defective:"),
    el("div", { class: "with-unit" }, input, "%", el("button", {}, "Save"), effect.button), effect.place);
  fill(at("limits"), known, may(me, "administer") ? form : el("p", {}, `At most ${percent(share)} of good parts may be called defective.`));
}

function area(facts, first) {
  const file = `/v1${path}/areas/ignore`;
  const save = (body) => change(body ? "The area is saved." : "Nothing is ignored any more.",
    () => ask(`${path}/areas/ignore`, { method: body ? "PUT" : "DELETE", body: body || undefined }));
  areaOf(at("area"), {
    source: `/v1${path}/pictures/${first.sha256}/preview`, size: first, edit: may(me, "administer"), save, path,
    before: facts.settings.ignore ? `${file}?${facts.revision}` : null,
  });
}

function goodParts(pictures) {
  fill(at("good"), gallery(pictures, "Good part"));
}

function defectParts(pictures) {
  const types = [...new Set(pictures.map((each) => each.type))].sort();
  fill(at("defects"),
    types.map((type) => {
      const these = pictures.filter((each) => each.type === type);
      return [el("h3", {}, `${type} (${these.length})`), gallery(these, type)];
    }),
    !types.length && el("p", { class: "muted" }, "No defect is known yet. Every defect that a reviewer confirms appears here."));
  if (at("kinds")) fill(at("kinds"), types.map((type) => el("option", { value: type })));
}

/** Where pictures are added. It stays while the rest of the page follows. */
function adding(facts) {
  const places = [el("div", { class: "progress" }), el("div", { class: "progress" })];
  const kind = el("input", { id: "kind", list: "kinds", maxlength: "200", autocomplete: "off" });
  const templates = templateArea();
  templates.element.hidden = facts.templates !== "each";
  const send = (defect) => (...some) => ask(`${path}/pictures${query({ defect })}`, { method: "POST", body: templates.sent(...some) });
  const sent = (files, place, defect) => sendAll(files, place, send(defect), TOGETHER).then(load, failed);
  const defective = (files) => {
    if (kind.value.trim()) return sent(files, places[1], kind.value.trim());
    kind.focus();
    return fill(places[1], el("p", { class: "problem", role: "alert" }, "Say first what type of defect these pictures show."));
  };
  fill(at("add-good"), templates.element, dropArea("Drop more pictures of good parts here, or choose files", (files) => sent(files, places[0], null)), places[0]);
  fill(at("add-defects"), el("label", { class: "field" }, "Type of the defect ", kind), el("datalist", { id: "kinds" }),
    dropArea("Drop pictures of this defect here, or choose files", defective), places[1]);
}

const failed = (error) => tell(at("trouble"), error.message);

function gallery(pictures, what, most = FIRST) {
  const list = el("ul", { class: "gallery" }, pictures.slice(0, most).map((each, number) => {
    const file = `/v1${path}/pictures/${each.sha256}`;
    const words = `${what} ${number + 1}`;
    const out = () => change("The picture is taken out. The history below can bring it back.",
      () => ask(`${path}/pictures/${each.sha256}`, { method: "DELETE" }));
    return el("li", {},
      el("a", { href: `${file}/preview`, target: "_blank", rel: "noopener" },
        el("img", { src: `${file}/preview?size=small`, alt: words, loading: "lazy", decoding: "async" })),
      may(me, "review") && el("button", { type: "button", class: "out", onclick: out, "aria-label": `Take out ${words}`, title: "Take out" }, "×"));
  }));
  if (pictures.length <= most) return list;
  const all = el("button", { type: "button" }, `Show all ${pictures.length}`);
  all.addEventListener("click", () => {
    all.remove();
    list.replaceWith(gallery(pictures, what, Infinity));
  });
  return [list, all];
}

function history(changes, revision) {
  const newest = [...changes].reverse();
  const undo = (to) => change("The change is taken back.", () => ask(`${path}/undo${query({ to })}`, { method: "POST" }));
  const last = el("button", { type: "button", onclick: () => undo(null) }, "Undo the last change");
  fill(at("history"),
    may(me, "administer") && revision > 1 && el("p", {}, last),
    el("ol", { class: "history" }, newest.map((each) => el("li", {},
      el("span", {}, el("strong", {}, `${each.revision}. `), each.words),
      el("span", { class: "muted small" }, new Date(each.time).toLocaleString()),
      may(me, "administer") && each.revision < revision
        && el("button", { type: "button", class: "plain", onclick: () => undo(each.revision), "aria-label": `Go back to this: change ${each.revision}` }, "Go back to this")))));
}
