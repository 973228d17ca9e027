// The page for reviewers: one part after the other. A part that is shown here is shown to nobody else.

import { ask, query } from "./api.js";
import { at, el, fill, linked } from "./dom.js";
import { judging } from "./judge.js";
import { begin, chooseProduct, may, trouble } from "./shell.js";

const LOOK_AGAIN_MS = 5000;
const UNDO = "reason-iad-reviewed"; // parts that were reviewed in this tab, the last one at the end

let product = "";
let open = null; // what is shown now
let turn = 0;
let timer = 0;

begin(async (me) => {
  if (!may(me, "review")) {
    fill(at("part"), el("p", { class: "card" }, "To review parts, you need the role “review”. An administrator can give it to you."));
    return;
  }
  product = chooseProduct(at("product"), await ask("/products"), (name) => {
    product = name;
    next();
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey;
    if (!open && event.key === "u" && !typing) undo();
  });
  await next();
});

async function next() {
  const mine = begun();
  try {
    const { part } = await ask(`/review/next${query({ product })}`);
    if (part) await show(part.id, mine);
    else if (mine === turn) nothing();
  } catch (error) {
    trouble(error);
    if (mine === turn) timer = setTimeout(next, LOOK_AGAIN_MS);
  }
}

/** A new turn begins; what earlier ones still bring is not shown any more. */
function begun() {
  clearTimeout(timer);
  if (open) open.close();
  open = null;
  at("part").inert = true; // what is still seen takes no more clicks and keys
  at("main").focus({ preventScroll: true });
  turn += 1;
  return turn;
}

async function show(number, mine) {
  const details = await ask(`/inspections/${number}`);
  const { defects } = await ask(`/products/${encodeURIComponent(details.part.product)}`);
  if (mine !== turn) return;
  open = judging(details, Object.keys(defects), { after, skip: true, undo: remembered().length ? undo : null });
  fill(at("part"), open.element);
  at("part").inert = false;

  function after(says, answer) {
    if (says !== "skip") remember(number);
    say(says === "skip" ? "Left to somebody else." : answer.words, answer.contradicts);
    next();
  }
}

function nothing() {
  at("part").inert = false;
  if (!at("part").querySelector(".empty")) {
    const back = el("button", { type: "button", class: "act", onclick: undo }, "Undo the last review", el("kbd", { "aria-hidden": "true" }, "u"));
    fill(at("part"), el("div", { class: "card empty stack" },
      el("h2", {}, "Nothing to review"),
      el("p", {}, "New parts that need a person appear here by themselves."),
      remembered().length > 0 && el("div", { class: "acts" }, back)));
  }
  timer = setTimeout(next, LOOK_AGAIN_MS);
}

async function undo() {
  const numbers = remembered();
  const number = numbers.pop();
  if (!number) {
    say("There is nothing to undo.");
    return;
  }
  const mine = begun();
  try {
    const answer = await ask(`/inspections/${number}/review`, { method: "POST", json: { says: "undo" } });
    sessionStorage.setItem(UNDO, JSON.stringify(numbers));
    say(answer.words);
    await show(number, mine);
  } catch (error) {
    if (error.status === 409) sessionStorage.setItem(UNDO, JSON.stringify(numbers)); // somebody else undid it
    trouble(error);
    next();
  }
}

function say(words, warning) {
  fill(at("said"), words, warning && el("strong", {}, " ", linked(warning), " If this was a mistake, take the review back with “u”."));
}

const remembered = () => JSON.parse(sessionStorage.getItem(UNDO) || "[]");

function remember(number) {
  sessionStorage.setItem(UNDO, JSON.stringify([...remembered(), number].slice(-50)));
}
