// Paints what is to be ignored on a picture of a good part: with mouse or finger, or with the arrow keys.

import { el, fill } from "./dom.js";
import { effectOf } from "./effect.js";

const INK = "#d81b60";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * A picture to paint on. `before` is the address of what is painted already, or null.
 * Gives the element, and `mask`, which makes the painted area a file: white on black.
 */
export function painting(source, size, before) {
  const scale = Math.min(1, 1600 / Math.max(size.width, size.height));
  const canvas = el("canvas", {
    width: Math.round(size.width * scale), height: Math.round(size.height * scale), tabindex: "0", role: "application",
    "aria-label": "Picture to paint on. Arrow keys move the brush, space paints or stops painting.",
  });
  const pen = canvas.getContext("2d");
  const across = Math.max(canvas.width, canvas.height);
  const brush = el("input", { type: "range", min: "1", max: "20", value: "5" });
  const erase = el("input", { type: "checkbox" });
  const cursor = el("span", { class: "brush", hidden: true });
  const spoken = el("p", { class: "unseen", role: "status" });
  let last = null;
  let at = { x: canvas.width / 2, y: canvas.height / 2 };
  let down = false; // whether the keyboard paints

  const radius = () => (Number(brush.value) / 200) * across;

  function paint(from, to) {
    pen.globalCompositeOperation = erase.checked ? "destination-out" : "source-over";
    pen.strokeStyle = INK;
    pen.lineWidth = 2 * radius();
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y);
    pen.stroke();
  }

  function place(event) {
    const area = canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - area.left) / area.width) * canvas.width,
      y: ((event.clientY - area.top) / area.height) * canvas.height,
    };
  }

  function showCursor() {
    cursor.hidden = false;
    cursor.style.left = `${(100 * at.x) / canvas.width}%`;
    cursor.style.top = `${(100 * at.y) / canvas.height}%`;
    cursor.style.width = `${(200 * radius()) / canvas.width}%`;
    cursor.classList.toggle("down", down);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    paint(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = place(event);
    paint(last, next);
    last = next;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
  canvas.addEventListener("blur", () => { cursor.hidden = true; down = false; });
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (event.key === " ") {
      down = !down;
      spoken.textContent = down ? "The brush is down." : "The brush is up.";
      if (down) paint(at, at);
    } else if (step) {
      const by = Math.max(2, radius() / 2);
      const next = { x: clamp(at.x + step[0] * by, canvas.width), y: clamp(at.y + step[1] * by, canvas.height) };
      if (down) paint(at, next);
      at = next;
    } else return;
    showCursor();
    event.preventDefault();
  });

  if (before) show(before, pen, canvas);
  const frame = el("div", { class: "frame painted" }, el("img", { src: source, alt: "A good part" }), canvas, cursor);
  frame.style.setProperty("--ratio", String(size.width / size.height));
  const wipe = el("button", { type: "button", onclick: () => pen.clearRect(0, 0, canvas.width, canvas.height) }, "Wipe everything");
  const element = el("div", { class: "stack" }, frame, spoken,
    el("div", { class: "with-unit" }, el("label", { class: "inline" }, "Brush ", brush), el("label", { class: "inline" }, erase, " Erase"), wipe));
  return { element, mask: () => mask(canvas) };
}

const clamp = (value, most) => Math.min(Math.max(value, 0), most);

/** Show an area that was painted before: where it is white, there is ink. */
async function show(address, pen, canvas) {
  const picture = el("img", { src: address, alt: "" });
  await picture.decode();
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  const ink = [1, 3, 5].map((start) => parseInt(INK.slice(start, start + 2), 16));
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data.set(pixels.data[i] > 127 ? [...ink, 255] : [0, 0, 0, 0], i);
  pen.putImageData(pixels, 0, 0);
}

/** The painted area as a file; null if nothing is painted. */
function mask(canvas) {
  const out = el("canvas", { width: canvas.width, height: canvas.height });
  const pen = out.getContext("2d");
  pen.drawImage(canvas, 0, 0);
  const pixels = pen.getImageData(0, 0, out.width, out.height);
  let some = false;
  for (let i = 0; i < pixels.data.length; i += 4) {
    const marked = pixels.data[i + 3] > 127;
    some ||= marked;
    pixels.data.set(marked ? [255, 255, 255, 255] : [0, 0, 0, 255], i);
  }
  pen.putImageData(pixels, 0, 0);
  return some ? new Promise((done) => out.toBlob(done, "image/png")) : null;
}

/** The area of the product at `path`: shown to all, painted by administrators. `save` gets the file, or null for none. */
export function areaOf(place, { source, size, before, edit, save, path }) {
  const begin = () => {
    const tool = painting(source, size, before);
    const done = async () => save(await tool.mask());
    const effect = effectOf(path, async () => ({ path: "areas/ignore/trial", sent: { body: (await tool.mask()) || undefined } }));
    fill(place, el("p", {}, "Paint what is not to be inspected: a label, a clamp, a moving shadow."), tool.element,
      el("div", { class: "acts" }, effect.button, el("button", { type: "button", class: "primary", onclick: done }, "Save the area")), effect.place);
    tool.element.querySelector("canvas").focus();
  };
  const words = before ? "A part of the picture is ignored." : "Everything in the picture is inspected.";
  fill(place, el("p", {}, words), edit && el("p", {}, el("button", { type: "button", onclick: begin }, before ? "Change the area" : "Paint an area to ignore")));
}
