// The login. It stands alone: before it, nothing else of the pages is sent.

const form = document.getElementById("login");
const problem = form.querySelector(".problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  say("");
  try {
    const given = { name: form.elements.name.value, password: form.elements.password.value };
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/v1/login", { method: "POST", headers, body: JSON.stringify(given) });
    if (answer.ok) {
      location.assign(next());
      return;
    }
    say((await answer.json()).detail);
    form.elements.password.value = "";
    form.elements.password.focus();
  } catch {
    say("The service does not answer. Check that it is running and that the network works.");
  } finally {
    button.disabled = false;
  }
});

/** Where to go: only to a page of this service, whatever the address says. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") || "/line";
  const asked = URL.canParse(wanted, location.origin) ? new URL(wanted, location.origin) : null;
  if (!asked || asked.origin !== location.origin || asked.pathname === "/login") return "/line";
  return asked.pathname + asked.search;
}

function say(words) {
  problem.textContent = words;
  problem.hidden = !words;
}
