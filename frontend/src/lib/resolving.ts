/** What a person can order for a trade, and what an order's state means in words. Pure. */
import type { OrderedAct, Resolution } from "./api";
import * as format from "./format";

/** A flatten must be confirmed within this of its preview; the server holds to the same. */
export const PREVIEW_LIFE_MS = 60_000;

export interface ActWords {
  /** The verb of the confirm button. */
  readonly verb: string;
  readonly what: string;
}

export const ACTS: Record<"attach" | "flatten" | "keep" | "prove", ActWords> = {
  flatten: {
    verb: "Flatten now",
    what: "One Kraken order at the previewed limit. What it leaves over comes back to a person.",
  },
  keep: {
    verb: "Keep as inventory",
    what: "The left-over stays where it is and counts as inventory. Nothing is sent.",
  },
  attach: {
    verb: "Attach record",
    what: "The engine reads a record from its venue by id. Amounts are never typed.",
  },
  prove: {
    verb: "Prove again",
    what: "The engine asks both venues about every attempt once more. Nothing is sent.",
  },
};
export type Act = keyof typeof ACTS;
export const ACT_ORDER: readonly Act[] = ["flatten", "keep", "attach", "prove"];

const NOUN: Record<OrderedAct, string> = {
  preview: "Preview",
  flatten: "Flatten",
  attach: "Attach record",
  keep: "Keep as inventory",
  prove: "Prove again",
  stop_resending: "Stop re-sending",
};

export function actNoun(act: OrderedAct): string {
  return NOUN[act];
}

/** The act that a verdict's suggestion names: "sell it on …" flattens, "keep it …" keeps. */
export function suggestedAct(suggestion: string): Act | null {
  if (/^keep\b/i.test(suggestion)) return "keep";
  return /^(sell|buy|flatten)\b/i.test(suggestion) ? "flatten" : null;
}

export function isOpen(order: Pick<Resolution, "state">): boolean {
  return order.state === "waiting" || order.state === "requested" || order.state === "taken";
}

/** What became of an order, never ahead of the engine. */
export function orderWords(order: Pick<Resolution, "state" | "answer" | "approved_by">): string {
  switch (order.state) {
    case "waiting":
      return "Waiting for a second person";
    case "requested":
      return "Requested, the engine has not taken it yet";
    case "taken":
      return "The engine is carrying it out";
    case "done":
      return order.answer === "" ? "Done" : `Done: ${order.answer}`;
    case "refused":
      return `Refused: ${order.answer}`;
    case "expired":
      return "Expired, nothing was done";
  }
}

export interface Preview {
  readonly id: string;
  readonly atMs: number;
  readonly side: string;
  readonly qty: string;
  readonly price: string;
  readonly limit: string;
  readonly notionalUsd: string;
  readonly costUsd: string;
  readonly suggestion: string;
}

/** A done preview as something to confirm; null for any other order. */
export function previewOf(order: Resolution | undefined): Preview | null {
  if (order === undefined || order.act !== "preview" || order.state !== "done") return null;
  if (order.answered_at_ns === null) return null;
  const detail = order.detail as Readonly<Record<string, string | undefined>>;
  const part = (name: string) => detail[name] ?? "";
  return {
    id: order.id,
    atMs: order.answered_at_ns / 1e6,
    side: part("side"),
    qty: part("qty"),
    price: part("price"),
    limit: part("limit_price"),
    notionalUsd: part("notional_usd"),
    costUsd: part("cost_usd"),
    suggestion: part("suggestion"),
  };
}

/** Ms until a preview can no longer be confirmed, never below 0. */
export function previewLeft(preview: Preview, nowMs: number): number {
  return Math.max(0, PREVIEW_LIFE_MS - (nowMs - preview.atMs));
}

/** "Sell 1.25 SOL at 151.20, never below 151.05". */
export function previewWords(preview: Preview, asset: string): string {
  const verb = preview.side === "sell" ? "Sell" : "Buy";
  const bound = preview.side === "sell" ? "below" : "above";
  return (
    `${verb} ${format.quantity(preview.qty)} ${asset} on Kraken at ${format.price(preview.price)}, ` +
    `never ${bound} ${format.price(preview.limit)}`
  );
}
