/** Figures of studies and promises as text: shares and estimates with their intervals. Pure. */
import type { Figures, ServiceLevel } from "./api";
import * as format from "./format";

type Share = Figures["capture_count"];
type Estimate = Figures["capture_value"];

/** A share with its 95 % interval and its n: "64.1% (58.0% to 69.7%, n 231)". */
export function shareWords(share: Share): string {
  if (share.value === null || share.low === null || share.high === null) return `no data, n ${share.n}`;
  return `${format.percent(share.value)} (${format.percent(share.low)} to ${format.percent(share.high)}, n ${share.n})`;
}

/** An estimated share with its interval; without one, the figure alone. */
export function estimateWords(estimate: Estimate): string {
  if (estimate.value === null) return "no data";
  if (estimate.low === null || estimate.high === null) return format.percent(estimate.value);
  return `${format.percent(estimate.value)} (${format.percent(estimate.low)} to ${format.percent(estimate.high)})`;
}

/** An amount from a statistic (a float), in dollars with its interval. */
export function dollarsWords(estimate: Estimate): string {
  const usd = (value: number) => format.pnl(value.toFixed(2));
  if (estimate.value === null) return "no data";
  if (estimate.low === null || estimate.high === null) return usd(estimate.value);
  return `${usd(estimate.value)} (${usd(estimate.low)} to ${usd(estimate.high)})`;
}

/** A share of Σ|expected| or a plain ratio; null is not known. */
export function ratioWords(value: number | null): string {
  return value === null ? format.UNKNOWN : format.percent(value);
}

export interface CompareRow {
  readonly caption: string;
  readonly cells: readonly string[];
}

const WORDS: readonly (readonly [string, (figures: Figures) => string])[] = [
  ["Net P&L", (one) => format.pnl(one.pnl_usd)],
  ["Predicted P&L", (one) => format.pnl(one.expected_usd)],
  ["Capture by count", (one) => shareWords(one.capture_count)],
  ["Capture by value", (one) => estimateWords(one.capture_value)],
  ["Attempts with both legs", (one) => shareWords(one.attempt_success)],
  ["Partial or hedged", (one) => shareWords(one.partials)],
  ["Windows, eligible", (one) => `${one.windows}, ${one.eligible}`],
  ["Attempts, unfinished", (one) => `${one.attempts}, ${one.unfinished}`],
  ["Worst 1% of trades, mean", (one) => format.pnl(one.tail1_usd)],
  ["Error: bias", (one) => ratioWords(one.errors.bias)],
  ["Error: WAPE", (one) => ratioWords(one.errors.wape)],
  ["Error: median", (one) => ratioWords(one.errors.median)],
  ["Detect to both fills p50", (one) => format.latency(one.detect_to_fills_ms.p50)],
  ["Detect to both fills p95", (one) => format.latency(one.detect_to_fills_ms.p95)],
  ["Naked time p99", (one) => format.age(one.naked_s.p99 === null ? null : one.naked_s.p99 * 1000)],
  ["Rebalances, cost", (one) => `${one.rebalances}, ${format.usd(one.rebalance_cost_usd, 2)}`],
];

/** Parameter sets side by side, one row for each figure. */
export function compared(columns: readonly Figures[]): readonly CompareRow[] {
  return WORDS.map(([caption, words]) => ({ caption, cells: columns.map(words) }));
}

/** A counted word list, the most frequent first: "12 × edge below minimum". */
export function countedRows(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  return Object.entries(counts).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

const BREACHED: Record<ServiceLevel["verdict"], number> = { fails: 0, holds: 1, "no data": 2 };

/** Promises with those that fail first; else in their own order. */
export function worstFirst(levels: readonly ServiceLevel[]): readonly ServiceLevel[] {
  return [...levels].sort((a, b) => BREACHED[a.verdict] - BREACHED[b.verdict]);
}

export interface PredictionTarget {
  readonly caption: string;
  readonly limit: number;
  readonly of: (figures: Figures["errors"]) => number | null;
}

/** The promises about the prediction (service levels say the same limits for all assets). */
export const PREDICTION_TARGETS: readonly PredictionTarget[] = [
  { caption: "Bias", limit: 0.1, of: (one) => one.bias },
  { caption: "WAPE", limit: 0.35, of: (one) => one.wape },
  { caption: "Median", limit: 0.25, of: (one) => one.median },
];

/** Whether a figure is beyond its limit on either side; null where it is not known. */
export function isBeyond(target: PredictionTarget, value: number | null): boolean | null {
  return value === null ? null : Math.abs(value) > target.limit;
}
