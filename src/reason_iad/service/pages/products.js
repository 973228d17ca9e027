// All products, and how a new one is made: a name, and pictures of good parts.

import { ask } from "./api.js";
import { at, el, fill } from "./dom.js";
import { begin, may, trouble } from "./shell.js";
import { TOGETHER, dropArea, sendAll, templateArea } from "./upload.js";
import { counted } from "./words.js";

begin(async (me) => {
  const products = await ask("/products");
  fill(at("products"), products.map(card));
  at("products").hidden = !products.length;
  if (may(me, "review")) make(products.map((each) => each.name));
  else at("new").hidden = true;
});

function card(product) {
  const defects = Object.values(product.defects).reduce((sum, each) => sum + each, 0);
  return el("li", { class: "card" },
    el("h2", {}, el("a", { href: `/products/${encodeURIComponent(product.name)}` }, product.name)),
    el("p", {}, `${counted(product.good, "good picture")}, ${counted(defects, "known defect")}`),
    el("p", { class: "links" }, el("a", { href: `/line?${new URLSearchParams({ product: product.name })}` }, "Line"), " · ",
      el("a", { href: `/statistics?${new URLSearchParams({ product: product.name })}` }, "Statistics")));
}

function make(taken) {
  const name = el("input", { id: "new-name", maxlength: "100", autocomplete: "off", required: true });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const place = el("div", { class: "progress" });
  const templates = templateArea();

  async function take(files) {
    const wanted = name.value.trim();
    problem.hidden = Boolean(wanted) && !taken.includes(wanted);
    problem.textContent = wanted ? "There is a product of this name. Open it to add pictures." : "Give the product a name first.";
    if (!problem.hidden) {
      name.focus();
      return;
    }
    const path = `/products/${encodeURIComponent(wanted)}/pictures`;
    const sent = await sendAll(files, place, (...some) => ask(path, { method: "POST", body: templates.sent(...some) }), TOGETHER);
    if (sent === files.length) location.assign(`/products/${encodeURIComponent(wanted)}`);
    else if (sent) place.append(el("p", {}, el("a", { class: "button", href: `/products/${encodeURIComponent(wanted)}` }, "Open the product")));
  }

  at("new").append(el("label", { class: "field" }, "Name ", name), problem,
    el("details", {}, el("summary", {}, "Each part has its own template"),
      el("p", { class: "muted small" }, "A template shows how the part should be, for example a board as it was drawn. Parts are compared with it, pixel by pixel."),
      templates.element),
    dropArea("Drop pictures of good parts here, or choose files", (files) => take(files).catch(trouble)), place);
}
