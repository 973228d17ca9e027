// Shows what a change of a product would do before it is made: asks for it, and follows how far it is.

import { ask } from "./api.js";
import { el, fill } from "./dom.js";
import { counted, outcome } from "./words.js";

const LOOK_AGAIN_MS = 700;

/**
 * A button that shows the effect of a change of the product at `path`, and the place where it is shown.
 * `request()` gives the address and what is sent, or null where there is nothing to try. With `done`, that is called
 * at the end instead of showing anything; whoever comes back to the page meanwhile sees how far it is.
 */
export function effectOf(path, request, word = "See the effect", done = null) {
  const place = el("div", { class: "stack", role: "status" });
  const key = done && `trial ${path}`;
  let turn = 0;

  const show = () => follow(async () => {
    const wanted = await request();
    return wanted && ask(`${path}/${wanted.path}`, { method: "POST", ...wanted.sent });
  });

  async function follow(begin) {
    const mine = ++turn;
    try {
      let trial = await begin();
      if (!trial) return;
      if (key) sessionStorage.setItem(key, trial.id);
      while (mine === turn && (trial.state === "waiting" || trial.state === "working")) {
        fill(place, working(trial));
        await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
        trial = await ask(`${path}/trials/${trial.id}`);
      }
      if (key) sessionStorage.removeItem(key);
      if (mine === turn && trial.found && done) done();
      else if (mine === turn) fill(place, trial.found ? shown(trial.found, trial.stale) : el("p", { class: "problem" }, trial.error));
    } catch (error) {
      if (key && error.status) sessionStorage.removeItem(key); // without one, the page was only left
      if (mine === turn) fill(place, el("p", { class: "problem" }, error.message));
    }
  }

  const begun = key && sessionStorage.getItem(key);
  if (begun) follow(() => ask(`${path}/trials/${begun}`));
  const button = el("button", { type: "button", class: "effect", onclick: show }, word);
  const clear = () => {
    turn += 1;
    fill(place);
  };
  return { button, place, clear };
}

function working(trial) {
  const words = trial.state === "waiting" ? "Another effect is being worked out first." : `Being worked out: ${trial.step || "beginning"} …`;
  const bar = trial.total > 0 && el("progress", { max: trial.total, value: trial.done, "aria-label": "How far it is" });
  return [el("p", {}, words), bar, el("p", { class: "muted small" }, "Parts of the line go first. You may leave this page; nothing is changed.")];
}

function shown(found, stale) {
  const list = el("ul", { class: "altered" }, found.altered.map((each) => el("li", {},
    el("a", { href: `/inspections/${each.id}` },
      el("img", { src: `/v1/inspections/${each.id}/preview?size=small`, alt: "", loading: "lazy", decoding: "async" }),
      el("span", {}, el("strong", {}, `Inspection ${each.id}`), el("span", {}, `${outcome(each.before).word} → ${outcome(each.after).word}`),
        each.review && el("span", { class: each.against ? "is-defect said" : "muted" }, each.review === "good" ? "A person said: good." : "A person said: defect."))))));
  const many = found.altered.length;
  return [el("p", {}, el("strong", {}, found.words), found.limits && ` The limits afterwards: ${found.limits}`),
    stale && el("p", { class: "problem" }, "The product was changed meanwhile. Look at the effect again."),
    many > 0 && el("details", { open: many <= 6 }, el("summary", {}, `See ${counted(many, "altered verdict")}`), list)];
}
