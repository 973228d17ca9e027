// Makes elements. Text is always text: nothing that people or senders write becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners (`onclick`) and children; children that are null or false are left out. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for parts of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** The element with this id. */
export const at = (id) => document.getElementById(id);

/** Replace what is in an element. */
export function fill(place, ...children) {
  place.replaceChildren(...kept(children));
}

/** Show a sentence in its place, or hide the place where there is none. */
export function tell(place, words) {
  place.textContent = words || "";
  place.hidden = !words;
}

/** A sentence in which the inspections that it names are links. */
export function linked(words) {
  return words.split(/(inspection \d+)/i).map((part, number) =>
    number % 2 ? el("a", { href: `/inspections/${part.split(" ")[1]}` }, part) : part);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...kept(children));
  return made;
}

const kept = (children) => children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false);
