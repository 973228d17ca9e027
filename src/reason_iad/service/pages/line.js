// The page at the line: the last part large, those before it small, and the counts of the shift; live.

import { ask, query } from "./api.js";
import { at, el, fill } from "./dom.js";
import { framed, marked, pictureOf, sizeOf } from "./picture.js";
import { begin, chooseProduct, may, trouble } from "./shell.js";
import { dropArea, sendAll, templateArea } from "./upload.js";
import { counted, outcome, outcomeOf, SHOWN, time, typeOf } from "./words.js";

let stream = null;
let product = "";
let shown = ""; // what the large part shows now
let countsLater = 0; // a timer, so that counts follow at most every two seconds

begin(async (me) => {
  const products = await ask("/products");
  product = chooseProduct(at("product"), products, (name) => {
    product = name;
    shown = "";
    fill(at("strip"));
    listen();
  });
  if (!products.length) first(me);
  else sending(products);
  listen();
  setInterval(counts, 30_000);
});

function listen() {
  if (stream) stream.close();
  counts();
  stream = new EventSource(`/v1/events${query({ product })}`);
  stream.addEventListener("open", () => live(true));
  stream.addEventListener("message", (event) => {
    live(true);
    show(JSON.parse(event.data)).catch(trouble);
  });
  stream.addEventListener("error", async () => {
    setTimeout(() => stream.readyState !== EventSource.OPEN && live(false), 2000);
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(listen, 3000); // the browser gave up; the login may be over
    await ask("/me").catch(() => {}); // goes to the login where it is over
  });
}

addEventListener("pagehide", () => stream && stream.close());

function live(works) {
  const words = works ? "Live" : "Not connected. What you see may be old.";
  if (at("live").textContent === words) return;
  at("live").textContent = words;
  at("live").classList.toggle("is-defect", !works);
  at("live").classList.toggle("is-pass", works);
}

async function show(parts) {
  strip(parts);
  soonCounts();
  const last = parts.find((part) => part.state === "done" || part.state === "failed");
  const key = last ? `${last.id} ${last.state} ${last.review}` : "";
  if (!last || key === shown) return;
  shown = key;
  const details = await ask(`/inspections/${last.id}`);
  if (key === shown) large(details);
}

function large(details) {
  const { part } = details;
  const found = outcomeOf(part);
  const type = typeOf(part);
  const told = [part.name, part.product, time(part.finished || part.received)].join(" · ");
  fill(at("last"), el("article", { class: `large is-${found.tone}` },
    el("div", { class: "stack" },
      el("p", { class: "verdict" }, el("span", { class: "icon", "aria-hidden": "true" }, found.mark),
        el("span", {}, found.word, type && el("small", {}, type))),
      part.review && el("p", { class: "pill" }, `A person said: ${part.review === "good" ? "good" : "defect"}`),
      el("p", { class: "reason" }, part.explanation || part.error || ""),
      el("p", { class: "muted" }, told),
      el("p", {}, el("a", { class: "button", href: `/inspections/${part.id}` }, "Report and review"))),
    framed(pictureOf(part.id), `The part ${part.name}`, sizeOf(details), marked(details))));
  at("spoken").textContent = `${found.word}${type ? `, ${type}` : ""}. ${part.name}.`;
}

function strip(parts) {
  const old = new Map([...at("strip").children].map((each) => [each.dataset.key, each]));
  fill(at("strip"), parts.map((part) => {
    const key = `${part.id} ${part.state}`;
    return old.get(key) || tile(part, key);
  }));
  at("strip").hidden = !parts.length;
  if (!parts.length && !at("last").children.length) {
    fill(at("last"), el("p", { class: "empty card" }, "No part was inspected yet. The next one appears here by itself."));
  }
}

function tile(part, key) {
  const found = outcomeOf(part);
  const picture = { src: pictureOf(part.id, "small"), alt: "", loading: "lazy", decoding: "async" };
  return el("li", { class: `tile is-${found.tone}`, "data-key": key },
    el("a", { href: `/inspections/${part.id}`, title: `${part.name} · ${time(part.received)}` },
      el("img", picture),
      el("span", { class: "word" }, el("span", { "aria-hidden": "true" }, `${found.mark} `), typeOf(part) || found.word),
      el("span", { class: "unseen" }, `, ${part.name}, ${time(part.received)}`)));
}

function soonCounts() {
  countsLater ||= setTimeout(counts, 2000);
}

async function counts() {
  clearTimeout(countsLater);
  countsLater = 0;
  const found = (await ask(`/statistics${query({ product })}`)).counts;
  const waiting = (found.waiting || 0) + (found.working || 0);
  const all = SHOWN.reduce((sum, name) => sum + (found[name] || 0), 0);
  const rows = SHOWN.filter((name) => name !== "failed" || found.failed).map((name) => [outcome(name), found[name] || 0]);
  fill(at("shift"), [[{ word: "Inspected", tone: "" }, all], ...rows, ...(waiting ? [[outcome("waiting"), waiting]] : [])]
    .map(([kind, number]) => el("div", { class: `count is-${kind.tone}` }, el("dt", {}, kind.word), el("dd", {}, String(number)))));
  at("as-of").textContent = `As of ${time(Date.now() / 1000)}.`;
}

function first(me) {
  at("send").hidden = true;
  fill(at("last"), el("div", { class: "card stack empty" },
    el("h2", {}, "Welcome"),
    el("p", {}, "The service has to know what good parts look like. Make a product from pictures of good parts; then send parts."),
    may(me, "review")
      ? el("p", {}, el("a", { class: "button primary", href: "/products" }, "Make the first product"))
      : el("p", {}, "Somebody who may review can do this.")));
}

function sending(products) {
  const choice = el("select", { id: "send-product" }, products.map((each) => el("option", { value: each.name }, each.name)));
  choice.value = product || products[0].name;
  const place = el("div", { class: "progress" });
  const templates = templateArea();
  const eachHasOne = () => products.some((each) => each.name === choice.value && each.templates === "each");
  const follow = () => {
    templates.element.hidden = !eachHasOne();
  };
  choice.addEventListener("change", follow);
  follow();
  const send = (file) => ask(`/inspections${query({ product: choice.value, name: file.name.slice(0, 300), wait: 0 })}`,
    { method: "POST", body: eachHasOne() ? templates.sent(file) : file });
  at("send").append(el("label", { class: "inline" }, "Product ", choice), templates.element,
    dropArea("Drop pictures here, or choose files", (files) => sendAll(files, place, send).catch(trouble)), place,
    el("p", { class: "muted small" }, `Programs send parts over HTTP: POST /v1/inspections. ${counted(products.length, "product")} known.`));
}
