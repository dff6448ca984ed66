/** A trade's prediction and result as rows to draw, and what a leg may still do. Pure. */
import type { Intent, TradeError, TradePicture } from "./api";
import { negated, parseDecimal, plain } from "./decimal";
import type { Trade } from "./frames";

export interface Term {
  readonly key: string;
  readonly words: string;
  /** Signed USD as decimal text: what it adds to the result. */
  readonly usd: string;
}

/** Decimal text with the other sign; text that is no decimal stays as it is. */
export function minus(text: string): string {
  const value = parseDecimal(text);
  return value === null ? text : plain(negated(value));
}

/** The predicted terms, in the order in which they add up to the expectation. */
export function predictedTerms(pnl: Intent["pnl"]): readonly Term[] {
  return [
    { key: "sell", words: "Sale, quoted", usd: pnl.sell_proceeds },
    { key: "buy", words: "Purchase, quoted", usd: minus(pnl.buy_cost) },
    { key: "cex-fee", words: "Kraken fee", usd: minus(pnl.cex_fee) },
    { key: "chain-fee", words: "Chain fee and tip", usd: minus(pnl.chain_fee) },
    { key: "failure", words: "Odds of not succeeding", usd: minus(pnl.failure_cost) },
  ];
}

/** What the decision took off the expectation before it compared with the thresholds. */
export function decisionTerms(pnl: Intent["pnl"]): readonly Term[] {
  return [
    { key: "haircut", words: "Haircut", usd: minus(pnl.haircut) },
    { key: "basis", words: "Basis of the dollars", usd: minus(pnl.basis_cost) },
    { key: "inventory", words: "Inventory", usd: minus(pnl.inventory_cost) },
    { key: "leg-risk", words: "Leg risk", usd: minus(pnl.leg_risk) },
  ];
}

/** The error by cause; the rows add up to realised less expected. */
export function errorTerms(causes: NonNullable<TradeError["causes"]>): readonly Term[] {
  return [
    { key: "cex-slip", words: "Kraken price", usd: causes.cex_slip_usd },
    { key: "dex-slip", words: "Pool price", usd: causes.dex_slip_usd },
    { key: "fees", words: "Fees", usd: causes.fees_usd },
    { key: "landing", words: "Landing, and what failed", usd: causes.landing_usd },
    { key: "residual", words: "Residual", usd: causes.residual_usd },
  ];
}

/** The three orders of the legs with their expected value, the best first. */
export function orderOptions(verdict: Intent["verdict"]): readonly { order: Intent["verdict"]["order"]; bps: number }[] {
  return [
    { order: "concurrent" as const, bps: verdict.ev_concurrent_bps },
    { order: "dex_first" as const, bps: verdict.ev_dex_first_bps },
    { order: "cex_first" as const, bps: verdict.ev_cex_first_bps },
  ].sort((a, b) => b.bps - a.bps);
}

export const ORDER_WORDS: Record<Intent["verdict"]["order"], string> = {
  concurrent: "Both at once",
  dex_first: "Solana first",
  cex_first: "Kraken first",
};

/** The words of a row's order; a policy of a newer server is spelled as it is. */
export function orderWord(policy: string): string {
  return Object.entries(ORDER_WORDS).find(([order]) => order === policy)?.[1] ?? policy.replaceAll("_", " ");
}

export interface Evidence {
  readonly what: string;
  readonly atMs: number | null;
  readonly answer: string;
}

function text(value: unknown): string {
  if (Array.isArray(value)) return value.map(text).join("; ");
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

/** What is on record about an attempt: an event or a question, when, and the answer. */
export function evidenceOf(attempt: TradePicture["attempts"][number]): readonly Evidence[] {
  return (attempt.evidence as readonly Record<string, unknown>[]).map((entry) => ({
    what: text(entry["event"] ?? entry["asked"]).replaceAll("_", " "),
    atMs: typeof entry["at_ns"] === "number" ? entry["at_ns"] / 1e6 : null,
    answer: text(entry["answer"]),
  }));
}

export interface WayOut {
  readonly act: string;
  readonly venue: string;
  readonly costUsd: string | null;
  readonly why: string;
}

export interface Verdict {
  readonly atMs: number;
  readonly act: string;
  readonly venue: string;
  readonly reason: string;
  readonly residual: string;
  readonly notionalUsd: string;
  readonly nakedMs: number;
  readonly suggestion: string;
  readonly ways: readonly WayOut[];
}

/** The stored decisions about a residual, newest first. */
export function verdictsOf(picture: Pick<TradePicture, "verdicts">): readonly Verdict[] {
  const rows = picture.verdicts as readonly Record<string, unknown>[];
  return rows
    .map((row) => ({
      atMs: Number(row["at_ns"]) / 1e6,
      act: text(row["act"]),
      venue: text(row["venue"]),
      reason: text(row["reason"]),
      residual: text(row["residual_base"]),
      notionalUsd: text(row["notional_usd"]),
      nakedMs: Number(row["naked_ms"] ?? 0),
      suggestion: text(row["suggestion"]),
      ways: ((row["ways"] ?? []) as readonly Record<string, unknown>[]).map((way) => ({
        act: text(way["act"]),
        venue: text(way["venue"]),
        costUsd: typeof way["cost_usd"] === "string" ? way["cost_usd"] : null,
        why: text(way["why"]),
      })),
    }))
    .reverse();
}

const MAY_STILL_LAND = ["sending", "unknown", "acked"];

/** Whether a swap of the trade may still land, so that sending it again can be stopped. */
export function mayStillLand(trade: Pick<Trade, "legs" | "state">): boolean {
  return (
    trade.state !== "closed" &&
    trade.legs.some((leg) => leg.venue.startsWith("solana") && MAY_STILL_LAND.includes(leg.state))
  );
}
