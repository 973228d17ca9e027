// Lets people mark a defect with a box: with mouse or finger, or with the arrow keys.

import { svg } from "./dom.js";
import { rectangle } from "./picture.js";

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Make the frame of a picture one that can be drawn on. `changed` gets the box, or null, and what to say of it. */
export function boxing(frame, size, changed) {
  const mine = svg("g");
  const layer = frame.querySelector("svg");
  layer.append(mine);
  let box = null;
  let begin = null;

  function show(next, words = "") {
    box = next;
    mine.replaceChildren(...(box ? [rectangle(box, "drawn")] : []));
    changed(box, words);
  }

  function place(event) {
    const area = layer.getBoundingClientRect();
    const along = (value, from, length, pixels) => clamp(Math.round(((value - from) / length) * pixels), 0, pixels);
    return {
      x: along(event.clientX, area.left, area.width, size.width),
      y: along(event.clientY, area.top, area.height, size.height),
    };
  }

  function start() {
    const width = Math.max(4, Math.round(size.width / 5));
    const height = Math.max(4, Math.round(size.height / 5));
    const x1 = Math.round((size.width - width) / 2);
    const y1 = Math.round((size.height - height) / 2);
    show({ x1, y1, x2: x1 + width, y2: y1 + height }, "A box is in the middle of the picture.");
    frame.focus();
  }

  frame.classList.add("drawable");
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", "Picture. Mark the defect: arrow keys move the box, with Shift they change its size.");
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    frame.focus();
    frame.setPointerCapture(event.pointerId);
    begin = place(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (begin) show(between(begin, place(event)));
  });
  frame.addEventListener("pointerup", () => {
    begin = null;
    if (box && (box.x2 - box.x1 < 2 || box.y2 - box.y1 < 2)) show(null); // a click, no box
  });
  frame.addEventListener("pointercancel", () => {
    begin = null;
  });
  frame.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (event.key === "Escape" && box) show(null, "The box is gone.");
    else if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (!box) start();
      else show(stepped(box, step, event.shiftKey, size));
    } else return;
    event.preventDefault();
  });
  return { start, clear: () => show(null) };
}

/** The box after one step of the keyboard: moved, or with its right and lower side moved. */
export function stepped(box, [right, down], resize, size) {
  const by = Math.max(1, Math.round(Math.max(size.width, size.height) / 100));
  if (resize) {
    return {
      ...box,
      x2: clamp(box.x2 + right * by, box.x1 + 1, size.width),
      y2: clamp(box.y2 + down * by, box.y1 + 1, size.height),
    };
  }
  const x = clamp(right * by, -box.x1, size.width - box.x2);
  const y = clamp(down * by, -box.y1, size.height - box.y2);
  return { x1: box.x1 + x, y1: box.y1 + y, x2: box.x2 + x, y2: box.y2 + y };
}

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

function between(a, b) {
  return { x1: Math.min(a.x, b.x), y1: Math.min(a.y, b.y), x2: Math.max(a.x, b.x), y2: Math.max(a.y, b.y) };
}
