// What all pages share: the bar with its links, who is logged in, and what is said when something goes wrong.

import { ask, whoAmI } from "./api.js";
import { el, fill } from "./dom.js";

const PAGES = [
  ["line", "Line", "inspect"],
  ["review", "Review", "review"],
  ["inspections", "Parts", "inspect"],
  ["products", "Products", "inspect"],
  ["statistics", "Statistics", "inspect"],
  ["people", "People", "administer"],
];
const ROLES = ["inspect", "review", "administer"];

/** Whether somebody may do what a role may. */
export const may = (me, role) => ROLES.indexOf(me.role) >= ROLES.indexOf(role);

/** Build the bar, then run the page. Errors that nobody caught are shown on top of the page. */
export async function begin(page) {
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    trouble(event.reason);
  });
  try {
    const me = await whoAmI();
    bar(me);
    await page(me);
  } catch (error) {
    trouble(error);
  }
}

/** Show an error on top of the page. */
export function trouble(error) {
  if (error && error.status === 401) return;
  const old = document.querySelector(".trouble");
  const words = error && error.message ? error.message : "Something went wrong. Load the page again.";
  const shown = el("p", { class: "problem trouble", role: "alert" }, words);
  if (old) old.replaceWith(shown);
  else document.querySelector("main").prepend(shown);
}

/** Fill a list with the names of the products; keeps and gives the one that the address names. */
export function chooseProduct(select, products, changed) {
  const chosen = new URLSearchParams(location.search).get("product") || "";
  for (const each of products) select.append(el("option", { value: each.name }, each.name));
  select.value = products.some((each) => each.name === chosen) ? chosen : "";
  select.addEventListener("change", () => {
    const address = new URL(location.href);
    if (select.value) address.searchParams.set("product", select.value);
    else address.searchParams.delete("product");
    history.replaceState(null, "", address);
    changed(select.value);
  });
  return select.value;
}

function bar(me) {
  const here = document.body.dataset.page;
  const links = PAGES.filter(([, , role]) => may(me, role)).map(([name, word]) =>
    el("a", { href: `/${name}`, "aria-current": name === here ? "page" : null }, word),
  );
  const out = me.csrf
    ? el("button", { class: "plain", onclick: logOut }, "Log out")
    : el("span", { class: "muted" }, "no login");
  fill(
    document.querySelector("header.bar"),
    el("a", { class: "skip", href: "#main" }, "Go to the content"),
    el("span", { class: "brand" }, "Reason-IAD"),
    el("nav", { "aria-label": "Pages" }, links),
    el("span", { class: "me" }, el("span", { class: "who" }, me.csrf ? me.name : "This machine"), out),
  );
}

async function logOut() {
  await ask("/logout", { method: "POST" });
  location.assign("/login");
}
