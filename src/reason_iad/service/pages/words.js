// How outcomes, times and numbers are said.

const OUTCOMES = {
  pass: { word: "Pass", mark: "✓", tone: "pass" },
  defect: { word: "Defect", mark: "▲", tone: "defect" },
  review: { word: "Needs a person", mark: "?", tone: "review" },
  unjudged: { word: "Cannot be judged", mark: "–", tone: "unjudged" },
  failed: { word: "Not inspected", mark: "×", tone: "failed" },
  waiting: { word: "Waiting", mark: "…", tone: "failed" },
  working: { word: "Being inspected", mark: "…", tone: "failed" },
};

/** Word, mark and colour of an outcome or a state. */
export const outcome = (name) => OUTCOMES[name] || OUTCOMES.failed;

/** What became of a part. */
export const outcomeOf = (part) => outcome(part.state === "done" ? part.outcome : part.state);

/** Names of outcomes in the order in which they are shown. */
export const SHOWN = ["pass", "defect", "review", "unjudged", "failed"];

/** The type of a defect as people say it; null where nobody knows one. */
export const typeOf = (part) => (part.outcome === "defect" && part.defect_type) || null;

/** Time of day; with the date if it was another day. */
export function time(seconds) {
  const then = new Date(seconds * 1000);
  const clock = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return then.toDateString() === new Date().toDateString() ? clock : `${then.toLocaleDateString()} ${clock}`;
}

/** Time of day, short. */
export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** '1 part', '2 parts'. */
export const counted = (number, noun, many = `${noun}s`) => `${number} ${number === 1 ? noun : many}`;

/** A share in per cent, with the digits that it deserves. */
export function percent(share) {
  const value = share * 100;
  return `${value < 1 && value > 0 ? value.toPrecision(2) : value.toFixed(value < 10 ? 1 : 0)} %`.replace(".0 %", " %");
}

/** What the roles may do. */
export const ROLES = {
  inspect: "Send and see parts",
  review: "Also review, and add pictures",
  administer: "Everything",
};
