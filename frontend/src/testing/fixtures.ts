/**
 * Realistic frames for looking at the console and for its tests. Never part of the build.
 *
 * A small desk of eight assets whose figures move with the clock it is given; the scenario
 * decides what is wrong with it.
 */
import type {
  Incident,
  Inventory,
  Metrics,
  Mode,
  Opportunity,
  Spread,
  Status,
  Trade,
} from "../lib/frames";
import { routes } from "./health-fixtures.ts";
import { parkedTrade } from "./trade-fixtures.ts";

export const SCENARIOS = ["healthy", "auto-paused", "killed", "no-signal", "observe", "paper", "operator", "stale", "empty"] as const;
export type Scenario = (typeof SCENARIOS)[number];

const ns = (ms: number) => Math.round(ms * 1e6);

interface Market {
  readonly asset: string;
  readonly price: number;
  readonly decimals: number;
  readonly gross: number;
  readonly cost: number;
  readonly size: number;
  readonly limit: string;
  readonly depth: number;
}

const MARKETS: readonly Market[] = [
  { asset: "SOL", price: 184.62, decimals: 2, gross: 19, cost: 11.2, size: 18420, limit: "dex_impact", depth: 1 },
  { asset: "JUP", price: 0.9142, decimals: 4, gross: 45.9, cost: 17.6, size: 6250, limit: "cex_depth", depth: 2 },
  { asset: "WIF", price: 2.184, decimals: 4, gross: 25.6, cost: 20.4, size: 4900, limit: "cex_depth", depth: 3 },
  { asset: "JTO", price: 3.412, decimals: 4, gross: 14.9, cost: 18.8, size: 5100, limit: "max_notional", depth: 4 },
  { asset: "BONK", price: 0.00002841, decimals: 8, gross: 10.6, cost: 22.1, size: 3300, limit: "inventory", depth: 5 },
  { asset: "PYTH", price: 0.4417, decimals: 4, gross: 9.1, cost: 15.4, size: 7800, limit: "dex_impact", depth: 6 },
  { asset: "RENDER", price: 7.823, decimals: 4, gross: 6, cost: 16.9, size: 2150, limit: "inventory", depth: 7 },
  { asset: "RAY", price: 4.931, decimals: 4, gross: 12, cost: 17, size: 2900, limit: "cex_depth", depth: 8 },
];

function wobble(nowMs: number, seed: number): number {
  const t = nowMs / 1000;
  return Math.sin(t / 3.1 + seed * 1.7) * 0.6 + Math.sin(t / 0.9 + seed) * 0.3 + Math.sin(t * 2.7 + seed * 3) * 0.15;
}

function spreadState(market: Market, net: number, scenario: Scenario): Spread["state"] {
  if (market.asset === "RAY" && scenario === "auto-paused") return "auto_paused";
  if (scenario === "killed") return net > 0 ? "blocked" : "below_cost";
  if (net <= 0) return "below_cost";
  if (scenario === "observe" || scenario === "paper") return scenario;
  return "armed";
}

export function spreadRow(market: Market, nowMs: number, scenario: Scenario): Spread {
  const move = wobble(nowMs, market.depth);
  const gross = Math.max(0.5, market.gross + move * 2.2);
  const net = gross - market.cost;
  const paused = market.asset === "RAY" && scenario === "auto-paused";
  const cex = market.price * (1 + move / 40_000);
  const proof = 40 + market.depth * 11 + Math.abs(move) * 30;
  return {
    asset: market.asset,
    direction: "buy_cex_sell_dex",
    cex_symbol: `${market.asset}/USD`,
    cex_price: cex.toFixed(market.decimals),
    dex_price: paused ? null : (cex * (1 + gross / 10_000)).toFixed(market.decimals + 6),
    gross_bps: paused ? null : gross,
    cost_bps: paused ? null : market.cost,
    net_bps: paused ? null : net,
    size_usd: paused ? null : (market.size * (1 + move / 50)).toFixed(2),
    size_base: paused ? null : (market.size / market.price).toFixed(4),
    limited_by: market.limit,
    state: spreadState(market, net, scenario),
    reason: paused ? "Kraken book stale" : "",
    book_age_ms: proof + 900,
    proof_age_ms: paused ? 12_400 : proof,
    pool_age_ms: 220,
    slot_lag: 1,
    at_ns: ns(nowMs),
  };
}

export function spreads(nowMs: number, scenario: Scenario): { rows: Spread[]; at_ns: number } {
  const markets = scenario === "empty" ? [] : MARKETS;
  return { rows: markets.map((market) => spreadRow(market, nowMs, scenario)), at_ns: ns(nowMs) };
}

const MODE: Partial<Record<Scenario, Mode>> = { killed: "halt", observe: "observe", paper: "paper" };

export function status(nowMs: number, scenario: Scenario, mode?: Mode, applied: readonly string[] = []): Status {
  const reasons: Status["reasons"] = [];
  if (scenario === "auto-paused") {
    reasons.push({
      asset: "RAY",
      mode: "hedge_only",
      rule: "kraken_stale",
      text: "Kraken book stale",
      value: "12.4 s",
      limit: "10 s",
      since_ns: ns(nowMs - 12_400),
    });
  }
  if (scenario === "killed") {
    reasons.push({
      asset: "*",
      mode: "halt",
      rule: "daily_loss",
      text: "Daily loss",
      value: "−$512.40",
      limit: "−$500.00",
      since_ns: ns(nowMs - 127_000),
    });
  }
  if (mode === "paper" || mode === "observe") {
    reasons.push({ asset: "*", mode, rule: "desk", text: "Set from the console (operator-a)", value: "", limit: "", since_ns: ns(nowMs - 41_000) });
  }
  if (scenario === "healthy") {
    reasons.push({ asset: "RENDER", mode: "paper", rule: "desk", text: "Trying the pair out (operator-a)", value: "", limit: "", since_ns: ns(nowMs - 7_400_000) });
    reasons.push({ asset: "PYTH", mode: "observe", rule: "settings", text: "Configuration version 4", value: "", limit: "", since_ns: ns(nowMs - 90_000_000) });
  }
  const stalled = scenario === "stale";
  return {
    mode: mode ?? MODE[scenario] ?? "live",
    beat_ns: ns(nowMs),
    started_at_ns: ns(nowMs - 3_600_000),
    epoch: 4,
    control_version: 12,
    config_version: 118,
    applied_commands: [...applied],
    reasons,
    venues: [
      {
        venue: "kraken",
        status: stalled ? "stale" : "healthy",
        proof_age_ms: stalled ? 12_400 : 42,
        data_age_ms: stalled ? 12_400 : 42 + Math.round(wobble(nowMs, 3) * 9),
        limit_ms: 10_000,
        rtt_ms: 18,
        slot: null,
        slot_lag: null,
        messages_per_s: 212.4,
        reconnects: 1,
        checksum_failures: 0,
        endpoint: "ws://127.0.0.1:9443/v2",
      },
      {
        venue: "solana",
        status: "healthy",
        proof_age_ms: 120,
        data_age_ms: 310,
        limit_ms: 10_000,
        rtt_ms: 46,
        slot: 291_345_221 + Math.floor(nowMs / 400) % 1000,
        slot_lag: 1,
        messages_per_s: 38.2,
        reconnects: 0,
        checksum_failures: 0,
        endpoint: "node-a",
      },
      {
        venue: "jupiter",
        status: "standby",
        proof_age_ms: null,
        data_age_ms: null,
        limit_ms: 10_000,
        rtt_ms: null,
        slot: null,
        slot_lag: null,
        messages_per_s: 0,
        reconnects: 0,
        checksum_failures: 0,
        endpoint: "",
      },
    ],
    open_trades: 0,
    unhedged_usd: "0.00",
    profile: "sim",
    routes: scenario === "empty" ? [] : routes(nowMs),
  };
}

const EDGES_US = Array.from({ length: 22 }, (_, index) => (index + 1) * 10_000);

export function metrics(nowMs: number, scenario: Scenario): Metrics {
  const loss = scenario === "killed";
  const quiet = scenario === "empty";
  const counts = [2, 6, 14, 31, 58, 83, 96, 88, 71, 52, 38, 27, 19, 13, 9, 6, 4, 3, 2, 1, 1, 0, 0];
  const second = Math.floor(nowMs / 5000) % 400;
  const grown = (1284.37 + second * 0.83 + wobble(nowMs, 9) * 3).toFixed(2);
  return {
    at_ns: ns(nowMs),
    day: "2026-11-22",
    net_pnl_usd: quiet ? "0.00" : loss ? "-512.40" : grown,
    expected_pnl_usd: quiet ? "0.00" : loss ? "-486.00" : "1402.10",
    fills_p50_ms: quiet ? null : 612 + wobble(nowMs, 5) * 20,
    fills_p95_ms: quiet ? null : 1312,
    eligible_windows: quiet ? 0 : 228,
    captured_windows: quiet ? 0 : 148 + Math.round(wobble(nowMs, 2) * 2),
    trades: quiet ? 0 : 148 + (second % 40),
    verified: quiet ? 0 : 148 + (second % 40),
    partials: quiet ? 0 : 6,
    missed: quiet ? 0 : 9,
    notional_usd: quiet ? "0.00" : "412630.18",
    notional_cap_usd: "1000000",
    unhedged_usd: "0.00",
    unhedged_max_usd: quiet ? "0" : "1120.40",
    unhedged_max_s: quiet ? 0 : 2.8,
    tick_to_signal: {
      edges_us: EDGES_US,
      counts: quiet ? counts.map(() => 0) : counts,
      p50_us: quiet ? null : 62_000,
      p95_us: quiet ? null : 138_000,
      p99_us: quiet ? null : 186_000,
      count: quiet ? 0 : 624,
    },
    signals: quiet ? 0 : 624,
    opportunities: quiet ? 0 : 38,
    duplicates: 0,
  };
}

export function inventory(nowMs: number, scenario: Scenario): Inventory {
  const row = (asset: string, drift: number, kraken: string, solana: string, usd: string) => ({
    asset,
    kraken,
    solana,
    total_usd: usd,
    kraken_share_pct: 50 + drift,
    drift_pct: drift,
    limit_pct: 15,
  });
  return {
    rows:
      scenario === "empty"
        ? []
        : [
            row("SOL", 4.2, "812.40", "701.22", "279480.12"),
            row("USDC", -11.6, "90210.55", "161022.90", "251233.45"),
            row("JUP", 18.9, "44100.00", "18020.00", "56790.02"),
            row("WIF", -3.1, "9120.00", "9870.00", "41474.16"),
            row("BONK", 7.4, "912000000", "701000000", "45823.30"),
          ],
    at_ns: ns(nowMs - 400),
  };
}

function leg(
  kind: "cex" | "dex",
  detectMs: number,
  sent: number,
  filled: number,
  share: number,
): Trade["legs"][number] {
  return {
    leg: kind,
    seq: 0,
    venue: kind === "cex" ? "kraken" : "solana",
    side: kind === "cex" ? "buy" : "sell",
    state: share < 1 ? "partial" : "filled",
    qty: "100.0000",
    filled: (100 * share).toFixed(4),
    price: "184.62",
    fee_usd: "1.20",
    reference: "5hK2uQpXw9fQa",
    sent_at_ns: ns(detectMs + sent),
    acked_at_ns: ns(detectMs + sent + 40),
    filled_at_ns: ns(detectMs + filled),
  };
}

type Made = [string, number, string, string, number, number, number, number, number];

const MADE: readonly Made[] = [
  ["JUP", 3, "8.41", "7.79", 110, 350, 140, 702, 1],
  ["SOL", 13, "14.02", "14.32", 60, 245, 80, 598, 1],
  ["WIF", 30, "-1.37", "7.61", 100, 440, 90, 1120, 1],
  ["SOL", 49, "11.86", "12.41", 55, 235, 90, 611, 1],
  ["BONK", 76, "2.90", "4.20", 85, 325, 115, 930, 0.82],
  ["PYTH", 121, "3.10", "3.02", 70, 280, 100, 655, 1],
];

export function trades(nowMs: number, scenario: Scenario): Trade[] {
  if (scenario === "empty") return [];
  const made = MADE.map(([asset, secondsAgo, pnl, expected, k0, k1, s0, s1, share], index): Trade => {
    const detectMs = nowMs - secondsAgo * 1000;
    return {
      id: `trade-${asset}-${index}`,
      version: 3,
      intent_key: `7c1f3a5e-4f0b-5d43-9a52-0f8e6f3b7a1${index}`,
      asset,
      direction: index % 3 === 2 ? "buy_dex_sell_cex" : "buy_cex_sell_dex",
      policy: index % 2 === 0 ? "concurrent" : "dex_first",
      state: "closed",
      outcome: share < 1 ? "partial" : "both",
      verified: true,
      size_base: "100.0000",
      notional_usd: "18462.00",
      expected_pnl_usd: expected,
      realised_pnl_usd: pnl,
      detect_at_ns: ns(detectMs),
      both_filled_ms: Math.max(k1, s1),
      residual_base: "0",
      legs: [leg("cex", detectMs, k0, k1, 1), leg("dex", detectMs, s0, s1, share)],
      closed_at_ns: ns(detectMs + 2500),
      reason: "",
      book: scenario === "paper" ? "paper" : "live",
    };
  });
  return scenario === "operator" ? [...made, parkedTrade(nowMs)] : made;
}

export function opportunities(nowMs: number, scenario: Scenario): Opportunity[] {
  if (scenario === "empty") return [];
  return Array.from({ length: 24 }, (_, index): Opportunity => {
    const market = MARKETS[index % MARKETS.length] ?? MARKETS[0];
    if (market === undefined) throw new Error("no markets");
    const opened = nowMs - index * 7300 - 900;
    const taken = index % 3 !== 1;
    return {
      window_id: `9b2d7c1e-0000-5000-8000-0000000000${String(index).padStart(2, "0")}`,
      version: 2,
      asset: market.asset,
      direction: index % 4 === 0 ? "buy_dex_sell_cex" : "buy_cex_sell_dex",
      state: index === 0 ? "open" : "closed",
      decision: taken ? "taken" : "refused",
      gate: taken ? "" : "slot_lag",
      gate_value: taken ? "" : "3",
      gate_limit: taken ? "" : "2",
      gross_bps: market.gross,
      net_bps: market.gross - market.cost + 12,
      size_usd: market.size.toFixed(2),
      limited_by: market.limit,
      expected_pnl_usd: (market.size * 0.0008).toFixed(2),
      opened_at_ns: ns(opened),
      closed_at_ns: index === 0 ? null : ns(opened + 820 + index * 31),
      close_cause: index === 0 ? "" : index % 2 === 0 ? "own_trade" : "pool_moved",
      intent_key: taken ? `7c1f3a5e-4f0b-5d43-9a52-0f8e6f3b7a1${index % 10}` : null,
    };
  });
}

export function incidents(nowMs: number, scenario: Scenario): Incident[] {
  if (scenario === "empty") return [];
  const row = (
    number: number,
    priority: Incident["priority"],
    state: Incident["state"],
    asset: string,
    rule: string,
    text: string,
    value: string,
    limit: string,
    secondsAgo: number,
  ): Incident => ({
    number,
    priority,
    state,
    asset,
    rule,
    text,
    value,
    limit,
    opened_at_ns: ns(nowMs - secondsAgo * 1000),
    closed_at_ns: state === "closed" ? ns(nowMs - (secondsAgo - 40) * 1000) : null,
    version: 1,
  });
  const rows = [
    row(41, "notice", "open", "JUP", "drift_limit", "Drift", "+18.9%", "15%", 250),
    row(40, "notice", "closed", "WIF", "prediction_error", "Prediction error", "27%", "25%", 1120),
    row(39, "notice", "closed", "*", "mode_change", "Live since start of session", "", "", 2500),
  ];
  if (scenario === "operator") {
    const text = "4.2500 SOL left over: 3 hedges were not enough. Suggested: sell it on kraken, about 2.11 USD";
    rows.unshift(row(43, "critical", "open", "SOL", "residual_parked", text, "4.2500", "0", 47));
  }
  if (scenario === "auto-paused") {
    rows.unshift(row(42, "warning", "open", "RAY", "kraken_stale", "Kraken book stale", "12.4 s", "10 s", 12));
  }
  return rows;
}
