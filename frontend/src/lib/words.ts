/**
 * The back end's names for gates, rules, caps and causes as people read them.
 *
 * The words are data (`words.json`), so that a test of the back end can hold them complete. A
 * name that is not there, from a newer server, is spelled out rather than hidden.
 */
import told from "./words.json";

type Words = Readonly<Record<string, string>>;

const GATES: Words = told.gates;
const CAPS: Words = told.caps;
const RULES: Words = told.rules;
const CAUSES: Words = told.close_causes;
const ACTS: Words = told.residual_acts;
const ROUTES: Words = told.route_outcomes;

/** A machine's name (`book_stale`) with spaces and a capital. */
export function spelled(name: string): string {
  const spaced = name.replaceAll("_", " ").replace(/\b(cex|dex)\b/g, (word) => word.toUpperCase());
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

const from = (words: Words) => (name: string): string =>
  Object.hasOwn(words, name) ? (words[name] ?? "") : spelled(name);

/** What refused a window. */
export const gateWord = from(GATES);
/** Which cap made the size what it is. */
export const limitWord = from(CAPS);
/** What stopped a scope, or opened an incident. */
export const ruleWord = from(RULES);
/** Why a window ended. */
export const causeWord = from(CAUSES);
/** What is done about a residual. */
export const actWord = from(ACTS);
/** What came of asking Jupiter. */
export const routeWord = from(ROUTES);

/** A reason of the engine: `gate: value (limit …)` gets the gate's words, other text stays. */
export function reasonWords(reason: string): string {
  const [gate = "", rest] = reason.split(/: (.*)/s);
  return rest === undefined || !Object.hasOwn(GATES, gate) ? reason : `${gateWord(gate)}: ${rest}`;
}
