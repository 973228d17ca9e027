// Asks the service, and tells its errors in its own sentences.

let csrf = null;
let leaving = false;

/** An answer that is no result. `status` is 0 where there was no answer at all. */
export class Problem extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/** Ask for `/v1` + path. Gives the JSON of the answer, or null where it is empty. */
export async function ask(path, { method = "GET", json, body } = {}) {
  const headers = {};
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const sent = json === undefined ? body : JSON.stringify(json);
  let answer;
  try {
    answer = await fetch(`/v1${path}`, { method, headers, body: sent, cache: "no-store" });
  } catch {
    throw new Problem(0, "The service does not answer. Check that it is running and that the network works.");
  }
  if (answer.status === 401) {
    toLogin();
    throw new Problem(401, "Log in again.");
  }
  const text = await answer.text();
  if (!answer.ok) throw new Problem(answer.status, saidIn(text) || `The service answered ${answer.status}.`);
  return text ? JSON.parse(text) : null;
}

/** Who is asking; requests that change something carry the token of this login from now on. */
export async function whoAmI() {
  const me = await ask("/me");
  csrf = me.csrf;
  return me;
}

/** The query part of an address; what is empty is left out. */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** Go to the login, and come back here afterwards. */
export function toLogin() {
  if (leaving) return; // several answers may say so at once
  leaving = true;
  location.assign(`/login${query({ next: location.pathname + location.search })}`);
}

function saidIn(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return "";
  }
}
