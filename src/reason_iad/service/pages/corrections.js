// Corrections of a product that wait until somebody takes or drops them.

import { el, fill } from "./dom.js";
import { effectOf } from "./effect.js";
import { counted, outcome, time } from "./words.js";

/** Fill a place with those of the product at `path`. `decide(what, numbers)` takes or drops some; without it nobody can. */
export function showCorrections(place, path, corrections, decide) {
  if (!corrections.length) {
    fill(place);
    return;
  }
  const boxes = corrections.map((each) =>
    el("input", { type: "checkbox", id: `correction-${each.id}`, checked: true, onchange: update }));
  const chosen = () => corrections.filter((_, number) => boxes[number].checked).map((each) => each.id);
  const words = el("p", { class: "muted", role: "status" });
  const button = (what, word, kind = "") => el("button", { type: "button", class: kind, onclick: () => decide(what, chosen()) }, word);
  const effect = effectOf(path, () => ({ path: "corrections/trial", sent: { json: { corrections: chosen() } } }));
  const buttons = decide ? [button("take", "Take the chosen ones", "primary"), button("drop", "Drop the chosen ones")] : [];

  function update() {
    const number = chosen().length;
    words.textContent = `${counted(number, "correction")} of ${corrections.length} chosen.`;
    for (const each of [...buttons, effect.button]) each.disabled = !number;
    effect.clear();
  }

  fill(place,
    el("p", {}, "A person said what these parts are. The product learns it when you take the correction."),
    el("ul", { class: "corrections" }, corrections.map((each, number) => el("li", {},
      decide && boxes[number],
      el("a", { href: `/inspections/${each.inspection}` },
        el("img", { src: `/v1/inspections/${each.inspection}/preview?size=small`, alt: `Inspection ${each.inspection}`, loading: "lazy", decoding: "async" })),
      el("label", { for: decide && boxes[number].id },
        el("strong", {}, each.says === "good" ? "Good" : `Defect: ${each.defect_type || "no type"}`),
        el("span", {}, `The verdict was: ${outcome(each.outcome).word}.`),
        el("span", { class: "muted small" }, `${each.name} · ${each.person} · ${time(each.at)}`))))),
    decide && words, decide && el("div", { class: "acts" }, effect.button, buttons), effect.place);
  update();
}
