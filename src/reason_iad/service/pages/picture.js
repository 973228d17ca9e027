// A picture with what is marked on it. Marks are in pixels of the picture, whatever its size on the screen.

import { el, svg } from "./dom.js";

/** Address of the picture of an inspection, as any browser can show it. */
export const pictureOf = (number, size = "large") => `/v1/inspections/${number}/preview?size=${size}`;

/** The template that came with a part, beside its picture; nothing if it came without. */
export const templated = (part) => part.template && el("figure", { class: "template" },
  framed(`${pictureOf(part.id)}&of=template`, `The template of the part ${part.name}`, null),
  el("figcaption", { class: "muted small" }, "Its template: how the part should be."));

/** A picture in its frame. `size` is {width, height} of the original; `boxes` are {x1, y1, x2, y2}. */
export function framed(source, words, size, boxes = []) {
  const picture = el("img", { src: source, alt: words, decoding: "async" });
  picture.addEventListener("error", () => picture.replaceWith(el("p", { class: "absent" }, "The picture cannot be shown. It is damaged, or it is not kept any more.")));
  const frame = el("div", { class: "frame" }, picture);
  if (!size) return frame;
  frame.style.setProperty("--ratio", String(size.width / size.height));
  frame.append(drawing(size, boxes));
  return frame;
}

/** The layer over a picture on which boxes are drawn. */
export function drawing(size, boxes) {
  const shown = { viewBox: `0 0 ${size.width} ${size.height}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  return svg("svg", shown, boxes.map((box) => rectangle(box, "mark")));
}

/** A box as two lines, so that it is seen on dark and on light ground. */
export function rectangle(box, kind) {
  const place = { x: box.x1, y: box.y1, width: box.x2 - box.x1, height: box.y2 - box.y1 };
  return svg("g", { class: kind }, svg("rect", { ...place, class: "halo" }), svg("rect", { ...place, class: "line" }));
}

/** What is marked in a result: the places that differ, or the one where the part differs most. */
export function marked({ result }) {
  if (!result) return [];
  const found = (result.findings || []).map((each) => each.box);
  if (found.length) return found;
  return result.region && result.region.box ? [result.region.box] : [];
}

/** Size of the inspected picture; null where there is no result. */
export function sizeOf(details) {
  const image = details.result && details.result.image;
  return image && image.width ? { width: image.width, height: image.height } : null;
}
