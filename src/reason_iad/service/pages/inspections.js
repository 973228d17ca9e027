// Finds parts: by words, product, outcome, review and day; the newest first. The address keeps what was asked.

import { ask, query } from "./api.js";
import { at, el, fill } from "./dom.js";
import { pictureOf } from "./picture.js";
import { begin, trouble } from "./shell.js";
import { counted, outcome, outcomeOf, SHOWN, time, typeOf } from "./words.js";

const PAUSE_MS = 250; // after the last letter
const form = at("asked").elements;
const FIELDS = ["text", "product", "outcome", "reviewed", "since", "until"];

let turn = 0;
let timer = 0;

begin(async () => {
  const option = (value, words) => el("option", { value }, words);
  fill(form.outcome, option("", "All"), SHOWN.map((name) => option(name, outcome(name).word)));
  fill(form.reviewed, option("", "All"), option("true", "Reviewed"), option("false", "Not reviewed"));
  form.product.append(...(await ask("/products")).map((each) => option(each.name, each.name)));
  const asked = new URLSearchParams(location.search);
  for (const name of FIELDS) form[name].value = asked.get(name) || "";
  at("asked").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => show().catch(trouble), PAUSE_MS);
  });
  at("asked").addEventListener("submit", (event) => {
    event.preventDefault();
    show().catch(trouble);
  });
  await show();
});

async function show() {
  const given = Object.fromEntries(FIELDS.map((name) => [name, form[name].value.trim()]));
  history.replaceState(null, "", `/inspections${query(given)}`);
  const wanted = { ...given, since: midnight(given.since, 0), until: midnight(given.until, 1) };
  at("export").href = `/v1/inspections.csv${query(wanted)}`;
  turn += 1;
  fill(at("more"));
  await older(wanted, null, turn);
}

/** Show one page more; the first one takes the place of what was there. */
async function older(wanted, before, mine) {
  const { parts, next } = await ask(`/inspections${query({ ...wanted, before })}`);
  if (mine !== turn) return;
  if (before === null) fill(at("parts"));
  at("parts").append(...parts.map(row));
  const number = at("parts").children.length;
  at("said").textContent = `${counted(number, "part")} shown.`;
  const again = () => older(wanted, next, mine).catch(trouble);
  fill(at("more"), next && el("button", { type: "button", onclick: again }, "Show older parts"),
    !number && el("span", { class: "muted" }, "No part fits."));
}

function row(part) {
  const found = outcomeOf(part);
  const type = typeOf(part);
  return el("li", { class: `is-${found.tone}` }, el("a", { href: `/inspections/${part.id}` },
    el("img", { src: pictureOf(part.id, "small"), alt: "", loading: "lazy", decoding: "async" }),
    el("span", {}, el("strong", { class: "said" }, el("span", { "aria-hidden": "true" }, `${found.mark} `), found.word, type && `: ${type}`),
      el("span", { class: "name" }, part.name),
      el("span", { class: "muted small" }, [part.product, time(part.received), part.review && `a person said: ${part.review}`]
        .filter(Boolean).join(" · ")))));
}

/** Seconds at which a day begins by the clock on the wall, or the day after; empty for no day. */
function midnight(day, later) {
  if (!day) return "";
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).getTime() / 1000;
}
