// How small a defect may be and still be found: the probability of detection by size, for each kind of defect.

import { el, fill, svg } from "./dom.js";
import { effectOf } from "./effect.js";

const WIDE = 340;
const HIGH = 210;
const EDGE = { left: 52, right: 12, top: 12, bottom: 40 };
const SHARES = [0, 0.5, 0.9, 1];

/** Fill a place with it. With `edit`, a button begins the test; `done` is called after it. */
export function showDetection(place, path, facts, edit, done) {
  const known = facts.change !== null;
  const test = edit && effectOf(path, () => ({ path: "detection", sent: {} }), known ? "Test again" : "Test it now", done);
  const old = known && !facts.current;
  const words = known
    ? "Plainly visible defects were drawn on the good pictures and looked for. Real defects can be harder to see, or easier."
    : "It is not known yet. The test draws defects on the good pictures and looks for them. It takes a minute or more.";
  fill(place, el("p", { class: known ? "muted" : null }, words),
    old && el("p", { class: "is-review said" }, `This is from change ${facts.change}. The product was changed since.`),
    facts.untested && el("p", {}, facts.untested),
    el("div", { class: "curves" }, facts.kinds.map((each) => curve(each, facts.scale))),
    test && el("div", { class: "acts" }, test.button), test && test.place);
}

function curve({ kind, words, a90_95: found, curve: points }, scale) {
  const unit = scale ? "mm" : "pixels";
  const factor = scale || 1;
  const sizes = points.map((each) => each.size * factor);
  const [from, to] = [Math.log(sizes[0]), Math.log(sizes.at(-1))];
  const x = (size) => EDGE.left + ((Math.log(size) - from) / (to - from || 1)) * (WIDE - EDGE.left - EDGE.right);
  const y = (share) => HIGH - EDGE.bottom - share * (HIGH - EDGE.top - EDGE.bottom);
  const at = (each, share) => `${x(each.size * factor)},${y(share)}`;
  const band = [...points.map((each) => at(each, each.high)), ...points.toReversed().map((each) => at(each, each.low))];
  const inside = found !== null && found * factor <= sizes.at(-1);
  return el("figure", {},
    el("h3", {}, kind),
    svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "chart", role: "img", "aria-label": words },
      SHARES.map((share) => [svg("line", { class: "grid", x1: EDGE.left, x2: WIDE - EDGE.right, y1: y(share), y2: y(share) }),
        svg("text", { x: EDGE.left - 6, y: y(share) + 4, "text-anchor": "end" }, `${100 * share} %`)]),
      svg("polygon", { class: "band", points: band.join(" ") }),
      svg("polyline", { class: "shares", points: points.map((each) => at(each, each.pod)).join(" ") }),
      inside && svg("line", { class: "wanted", x1: x(found * factor), x2: x(found * factor), y1: EDGE.top, y2: HIGH - EDGE.bottom }),
      [sizes[0], sizes.at(-1)].map((size, end) => svg("text", { x: x(size), y: HIGH - 22, "text-anchor": end ? "end" : "start" }, digits(size))),
      svg("text", { x: (WIDE + EDGE.left) / 2, y: HIGH - 5, "text-anchor": "middle" }, `size in ${unit}`)),
    el("figcaption", {}, words));
}

const digits = (value) => String(Number(value.toPrecision(2)));
