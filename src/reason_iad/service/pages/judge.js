// Lets a person say what a part really is: good, or a defect with its type and place.

import { ask } from "./api.js";
import { boxing } from "./boxing.js";
import { el, fill, tell } from "./dom.js";
import { framed, marked, pictureOf, sizeOf, templated } from "./picture.js";
import { outcomeOf, time } from "./words.js";

const UNNAMED = "defect";

/**
 * A part with its picture and the buttons. `after(says, answer)` is called once the service knows.
 * `skip` and `undo` are called for their keys; without them there are no such buttons.
 * Gives the element and `close`, which takes its keys away.
 */
export function judging(details, types, { after, skip, undo }) {
  const { part } = details;
  const size = sizeOf(details);
  const spoken = el("p", { class: "unseen", role: "status" });
  const trouble = el("p", { class: "problem", role: "alert", hidden: true });
  let box = null;
  let busy = false;
  const frame = framed(pictureOf(part.id), `The part ${part.name}`, size, marked(details));
  const tool = size && boxing(frame, size, (drawn, words) => {
    box = drawn;
    spoken.textContent = words;
  });
  const kinds = el("div", { class: "kinds card", hidden: true, role: "group", "aria-label": "What is the defect?" });

  async function say(says, type = null) {
    if (busy) return;
    busy = true;
    tell(trouble, "");
    try {
      const json = { says, defect_type: type, box: says === "defect" ? box : null };
      after(says, await ask(`/inspections/${part.id}/review`, { method: "POST", json }));
    } catch (error) {
      tell(trouble, error.message);
    } finally {
      busy = false;
    }
  }

  function askKind() {
    const other = el("input", { id: "other-kind", maxlength: "200", autocomplete: "off" });
    const send = (event) => {
      event.preventDefault();
      say("defect", other.value.trim() || UNNAMED);
    };
    const known = types.map((type, number) =>
      el("button", { type: "button", class: "kind", onclick: () => say("defect", type) },
        number < 9 && el("kbd", {}, String(number + 1)), ` ${type}`));
    const label = known.length ? "Another type" : "Type of the defect, for example “scratch”";
    fill(kinds, el("h3", {}, "What is the defect?"), known.length > 0 && el("div", { class: "row" }, known),
      el("form", { class: "row", onsubmit: send },
        el("label", { for: "other-kind" }, label), other, el("button", { class: "primary" }, "Save as a defect")));
    kinds.hidden = false;
    (known[0] || other).focus();
  }

  const actions = [
    ["g", "Good", "good", () => say("good")],
    ["d", "Defect …", "bad", askKind],
    skip && ["s", "Skip", "", () => say("skip")],
    undo && ["u", "Undo", "", undo],
    tool && ["b", "Mark with a box", "", tool.start],
  ].filter(Boolean);
  const buttons = actions.map(([key, word, kind, run]) =>
    el("button", { type: "button", class: `act ${kind}`, onclick: run, "aria-keyshortcuts": key },
      word, el("kbd", { "aria-hidden": "true" }, key)));

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    const number = Number(event.key) - 1;
    if (!kinds.hidden && types[number] && number < 9) say("defect", types[number]);
    else if (event.key === "Escape" && !kinds.hidden && event.target !== frame) kinds.hidden = true;
    else {
      const action = actions.find(([key]) => key === event.key.toLowerCase());
      if (!action || event.repeat) return;
      action[3]();
    }
    event.preventDefault();
  }
  addEventListener("keydown", onKey);

  const found = outcomeOf(part);
  const element = el("div", { class: `judge is-${found.tone}` },
    frame,
    el("div", { class: "stack" },
      el("p", { class: "badge" }, el("span", { "aria-hidden": "true" }, `${found.mark} `), found.word),
      el("p", {}, part.explanation || part.error || ""),
      el("p", { class: "muted small" }, `${part.product} · `, el("a", { href: `/inspections/${part.id}` }, part.name),
        ` · ${time(part.received)}`),
      templated(part),
      el("h2", {}, "What is it really?"),
      el("div", { class: "acts" }, buttons),
      trouble, kinds, spoken,
      tool && el("p", { class: "muted small" }, "To mark a defect, drag over it. With the keyboard: ", el("kbd", {}, "b"),
        ", then the arrow keys; with Shift they change the size; Esc removes the box.")));
  return { element, close: () => removeEventListener("keydown", onKey) };
}
