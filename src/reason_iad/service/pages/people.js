// Who may log in, and which programs have keys. For administrators.

import { ask } from "./api.js";
import { at, el, fill, tell } from "./dom.js";
import { begin, may } from "./shell.js";
import { ROLES } from "./words.js";

begin(async (me) => {
  if (!may(me, "administer")) throw new Error("Only administrators see this page.");
  for (const list of [at("person").elements.role, at("key").elements.scope]) {
    fill(list, Object.entries(ROLES).map(([role, words]) => el("option", { value: role }, words)));
  }
  if (!me.csrf) {
    const words = "Nobody has to log in on this machine yet. The first person that you add administers; from then on, everybody logs in.";
    at("person").before(el("p", { class: "muted" }, words));
    at("person").elements.role.value = "administer";
    at("person").elements.role.disabled = true;
    at("key").hidden = true; // the first key would close the door as well, and nobody could log in
  }
  at("person").addEventListener("submit", addPerson);
  at("key").addEventListener("submit", makeKey);
  await load();
});

async function load() {
  const [people, keys] = await Promise.all([ask("/people"), ask("/keys")]);
  fill(at("people"), table(["Name", "May", ""], people.filter((each) => !each.disabled).map((each) => [
    each.name, ROLES[each.role], button("Remove", `Remove ${each.name}`,
      () => change(`${each.name} can log in no more.`, `/people/${encodeURIComponent(each.name)}`, { method: "DELETE" }))])));
  fill(at("keys"), table(["Name", "May", ""], keys.filter((each) => !each.revoked).map((each) => [
    each.name, ROLES[each.scope], button("Revoke", `Revoke the key ${each.name}`,
      () => change(`The key ${each.name} works no more.`, `/keys/${encodeURIComponent(each.name)}`, { method: "DELETE" }))])));
}

async function change(words, path, request) {
  tell(at("trouble"), "");
  try {
    const answer = await ask(path, request);
    at("said").textContent = words;
    await load();
    return answer;
  } catch (error) {
    tell(at("trouble"), error.message);
    return undefined;
  }
}

async function addPerson(event) {
  event.preventDefault();
  const { name, role, password } = event.target.elements;
  const json = { name: name.value, role: role.value, password: password.value };
  await change(`${name.value} can log in.`, "/people", { method: "PUT", json });
  password.value = "";
}

async function makeKey(event) {
  event.preventDefault();
  const { name, scope } = event.target.elements;
  const made = await change("", "/keys", { method: "POST", json: { name: name.value, scope: scope.value } });
  if (made) fill(at("said"), "Keep this key now. It is shown only once: ", el("code", {}, made.key));
}

function table(heads, rows) {
  if (!rows.length) return el("p", { class: "muted" }, "None yet.");
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((word) => (word ? el("th", { scope: "col" }, word) : el("td"))))),
    el("tbody", {}, rows.map(([name, role, act]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, role), el("td", {}, act)))));
}

const button = (word, label, onclick) => el("button", { type: "button", class: "plain", onclick, "aria-label": label }, word);
