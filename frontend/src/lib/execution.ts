/** A trade laid out on a time axis that starts at the detection. Pure; the component draws it. */
import { magnitude, parseDecimal, ratio } from "./decimal";
import * as format from "./format";
import type { Leg, Trade } from "./frames";

export interface LegBar {
  readonly lane: "kraken" | "solana";
  readonly hedge: boolean;
  /** ms after detection. */
  readonly fromMs: number;
  /** ms after detection; null while the leg is in flight. */
  readonly toMs: number | null;
  /** Filled share of the quantity, 0 to 1. */
  readonly filled: number;
  readonly words: string;
}

export function filledShare(leg: Pick<Leg, "qty" | "filled">): number {
  const qty = parseDecimal(leg.qty);
  const filled = parseDecimal(leg.filled);
  if (qty === null || filled === null) return 0;
  const share = ratio(magnitude(filled), magnitude(qty));
  return share === null ? 0 : Math.min(1, Math.max(0, share));
}

const lane = (leg: Leg): LegBar["lane"] => (leg.venue.startsWith("solana") ? "solana" : "kraken");

export function legBars(trade: Trade): readonly LegBar[] {
  return trade.legs.flatMap((leg) => {
    if (leg.sent_at_ns === null) return [];
    const fromMs = Math.max(0, (leg.sent_at_ns - trade.detect_at_ns) / 1e6);
    const toMs = leg.filled_at_ns === null ? null : (leg.filled_at_ns - trade.detect_at_ns) / 1e6;
    const filled = filledShare(leg);
    const end = toMs === null ? leg.state : `filled ${format.percent(filled)} at ${format.latency(toMs)}`;
    return [
      {
        lane: lane(leg),
        hedge: leg.leg === "hedge",
        fromMs,
        toMs,
        filled,
        words: `${leg.leg === "hedge" ? "Hedge, " : ""}${lane(leg)} leg sent at ${format.latency(fromMs)}, ${end}`,
      },
    ];
  });
}

/** The worst fill among the two legs, as the caption of a partial. */
export function worstFill(trade: Trade): number {
  const shares = trade.legs.filter((leg) => leg.leg !== "hedge").map(filledShare);
  return shares.length === 0 ? 0 : Math.min(...shares);
}

const OUTCOME: Record<Trade["outcome"], string> = {
  both: "both filled",
  partial: "partial",
  missed: "missed",
  hedged: "hedged",
  pending: "in flight",
};

/** How a trade ended in two words, and whether an operator should look. */
export function outcomeOf(trade: Trade): { words: string; abnormal: boolean } {
  if (trade.state === "operator") return { words: "needs operator", abnormal: true };
  if (trade.outcome === "pending" && trade.state === "hedging") {
    return { words: "hedging", abnormal: true };
  }
  if (trade.outcome === "partial") {
    return { words: `partial ${format.percent(worstFill(trade))}`, abnormal: true };
  }
  return { words: OUTCOME[trade.outcome], abnormal: trade.outcome === "hedged" };
}
