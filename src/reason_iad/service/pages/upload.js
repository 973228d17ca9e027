// Takes many files at once, dropped or chosen, and sends them one after the other.

import { el, fill } from "./dom.js";
import { counted } from "./words.js";

export const TOGETHER = 20;
const MOST_BYTES = 24 * 2 ** 20; // templates come on top of it; the service takes 64 MiB
const TOLD = 5;
const TRIES = 30;
const PAUSE_MS = 2000;

/** A place to drop files on; it is also a button that opens the choice of files. `take` gets the files. */
export function dropArea(words, take) {
  const input = el("input", { type: "file", multiple: true, accept: "image/*,.tif,.tiff,.bmp,.ppm,.pgm,.webp" });
  const area = el("label", { class: "drop" }, el("span", {}, words), input);
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // the same files may be chosen again
    if (files.length) take(files);
  });
  area.addEventListener("dragover", (event) => {
    event.preventDefault();
    area.classList.add("over");
  });
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
  return area;
}

/**
 * A place to drop the templates of parts that each have their own. `sent(...files)` is the body of a request: the
 * files of parts, each with the template of the same name. One file without templates is the body itself.
 */
export function templateArea() {
  const kept = new Map();
  const words = el("p", { class: "muted small", role: "status" });
  const take = (files) => {
    files.forEach((file) => kept.set(stem(file), file));
    words.textContent = `${counted(kept.size, "template")} ready.`;
  };
  function sent(...files) {
    if (files.length === 1 && !kept.size) return files[0];
    const form = new FormData();
    for (const file of files) {
      const template = kept.get(stem(file));
      if (kept.size && !template) throw new Error("There is no template of this name. Drop it first.");
      form.append("picture", file);
      if (template) form.append("template", template);
    }
    return form;
  }
  const element = el("div", { class: "stack templates" }, dropArea("Drop the templates here first. Each has the name of its part", take), words);
  return { element, sent };
}

const stem = (file) => file.name.replace(/\.[^.]*$/, "");

/**
 * Send files and show how far it is. `send(...files)` sends up to `together` at once; if it fails, one by one.
 * Gives how many were taken; those that were not are named with the reason.
 */
export async function sendAll(files, place, send, together = 1) {
  const sorted = files.toSorted((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const progress = el("progress", { max: sorted.length, value: 0, "aria-label": "Pictures sent" });
  const words = el("p", { role: "status" }, "");
  const refused = [];
  fill(place, progress, words);
  async function take(some) {
    try {
      await patiently(() => send(...some));
    } catch (error) {
      if (error.status === 0 || error.status === 401) throw error;
      if (some.length === 1) refused.push(el("li", {}, el("strong", {}, some[0].name), ` ${error.message}`));
      else for (const file of some) await take([file]);
    }
  }
  for (let from = 0; from < sorted.length; from = progress.value) {
    words.textContent = `Sending ${from + 1} of ${counted(sorted.length, "picture")} …`;
    const some = atOnce(sorted.slice(from, from + together));
    await take(some);
    progress.value = from + some.length;
  }
  const taken = sorted.length - refused.length;
  words.textContent = `${counted(taken, "picture")} sent.`;
  progress.remove();
  if (refused.length) {
    const more = refused.length > TOLD && el("li", {}, `and ${refused.length - TOLD} more`);
    place.append(el("div", { class: "problem", role: "alert" },
      el("p", {}, `${counted(refused.length, "file")} could not be used:`), el("ul", {}, refused.slice(0, TOLD), more)));
  }
  return taken;
}

/** The first files that go together: names once each, and not too much for one request; one in any case. */
function atOnce(files) {
  const names = new Set();
  let bytes = 0;
  let number = 0;
  for (const file of files) {
    bytes += file.size;
    if (number && (bytes > MOST_BYTES || names.has(stem(file)))) break;
    names.add(stem(file));
    number += 1;
  }
  return files.slice(0, number);
}

/** Try again while the service has too much to do. */
async function patiently(send) {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await send();
    } catch (error) {
      if (!left || ![429, 503].includes(error.status)) throw error;
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }
}
