/** The words for engine and asset states, in one place, and the age rules that colour values. */
import type { Mode, Spread, SpreadState, Status } from "./frames";

export type EngineState =
  | "live"
  | "observe"
  | "paper"
  | "paused"
  | "auto_paused"
  | "killed"
  | "no_signal";

const BY_MODE: Record<Mode, EngineState> = {
  live: "live",
  observe: "observe",
  paper: "paper",
  hedge_only: "auto_paused",
  stop_new: "paused",
  halt: "killed",
};

export const ENGINE_WORD: Record<EngineState, string> = {
  live: "LIVE",
  observe: "OBSERVE",
  paper: "PAPER",
  paused: "PAUSED",
  auto_paused: "AUTO-PAUSED",
  killed: "KILLED",
  no_signal: "NO SIGNAL",
};

export const SPREAD_WORD: Record<SpreadState, string> = {
  armed: "Armed",
  below_cost: "Below cost",
  observe: "Observe",
  paper: "Paper",
  paused: "Paused",
  auto_paused: "Auto-paused",
  blocked: "Blocked",
};

/** No engine beat for this long and the state word is no longer believed. */
export const BEAT_LIMIT_MS = 3000;

/** The modes from the freest to the strictest. */
const RANKED: readonly Mode[] = ["live", "paper", "observe", "hedge_only", "stop_new", "halt"];

/** The engine's state as the console may show it at `nowMs` (server time). */
export function engineState(status: Status | undefined, nowMs: number): EngineState {
  if (status === undefined || nowMs - status.beat_ns / 1e6 > BEAT_LIMIT_MS) return "no_signal";
  return BY_MODE[status.mode];
}

/** Whether observe-only is on as the engine reports it, also under a stricter mode. */
export function observeOn(status: Status | undefined): boolean {
  if (status === undefined) return false;
  return (
    status.mode === "observe" ||
    status.reasons.some((reason) => reason.asset === "*" && reason.mode === "observe")
  );
}

/** A scope's own mode as the engine reports it; live where nothing holds it back. */
export function scopeMode(status: Status, scope: string): Mode {
  const own = status.reasons.filter((reason) => reason.asset === scope && reason.rule !== "settings");
  return RANKED.findLast((mode) => own.some((reason) => reason.mode === mode)) ?? "live";
}

/** The mode an asset really has: the strictest of its own, its settings' and the desk's. */
export function assetMode(status: Status, asset: string): Mode {
  const held = status.reasons.filter((reason) => reason.asset === asset || reason.asset === "*");
  return RANKED.findLast((mode) => mode === status.mode || held.some((reason) => reason.mode === mode)) ?? "live";
}

export type Freshness = "fresh" | "ageing" | "stale" | "unknown";

const LIMITS = {
  spreads: [500, 2000],
  status: [1500, 3000],
  inventory: [5000, 15_000],
  metrics: [2500, 5000],
} as const;

/** How a value of this age looks. */
export function freshness(kind: keyof typeof LIMITS, ageMs: number | null): Freshness {
  if (ageMs === null) return "unknown";
  const [fresh, stale] = LIMITS[kind];
  return ageMs < fresh ? "fresh" : ageMs < stale ? "ageing" : "stale";
}

/** The direction to show: the sign of the gross gap decides, the label follows it. */
export function shownDirection(row: Pick<Spread, "direction" | "gross_bps">): "K>S" | "S>K" | null {
  if (row.gross_bps === null) return null;
  return row.direction === "buy_cex_sell_dex" ? "K>S" : "S>K";
}

const ENDS: Record<string, "K>S" | "S>K"> = {
  buy_cex_sell_dex: "K>S",
  buy_dex_sell_cex: "S>K",
};

/** Direction of a trade or window; null for a word the console does not know. */
export function directionEnds(direction: string): "K>S" | "S>K" | null {
  return ENDS[direction] ?? null;
}

export const DIRECTION_WORDS = {
  "K>S": "Buy on Kraken, sell on Solana",
  "S>K": "Buy on Solana, sell on Kraken",
} as const;
