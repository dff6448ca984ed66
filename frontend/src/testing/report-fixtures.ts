/** Studies, promises and prediction errors for looking at and for tests. */
import type { Feasibility, Figures, PredictionRow, ServiceLevel, StudyHead, StudyPicture } from "../lib/api";

const DAY_NS = 86_400_000_000_000;
const FROM_MS = 1_763_769_600_000;

const share = (hits: number, n: number) => ({
  hits,
  n,
  value: n === 0 ? null : hits / n,
  low: n === 0 ? null : Math.max(0, hits / n - 0.06),
  high: n === 0 ? null : Math.min(1, hits / n + 0.06),
});

export const LEVELS: readonly ServiceLevel[] = [
  { name: "detect → both fills p50", target: "≤ 700 ms", seen: "612 ms", n: 231, interval: "598 – 655", verdict: "holds" },
  { name: "detect → both fills p95", target: "≤ 1500 ms", seen: "1612 ms", n: 231, interval: "1290 – 1790", verdict: "fails" },
  { name: "naked time p99", target: "≤ 30 s", seen: "17.2 s", n: 25, interval: "4.1 – 17.2", verdict: "holds" },
  { name: "detect → wire p99", target: "≤ 5 ms", seen: "–", n: 0, interval: "–", verdict: "no data" },
  { name: "capture of eligible windows", target: "≥ 60%", seen: "64.1%", n: 360, interval: "59.0% – 68.9%", verdict: "holds" },
  { name: "verified", target: "≥ 99%", seen: "100.0%", n: 12, interval: "75.7% – 100.0%", verdict: "no data" },
];

function errors(n: number, bias: number): PredictionRow["figures"] {
  return {
    n,
    bias,
    wape: 0.31,
    median: 0.118,
    bps_p5: -6.2,
    bps_p50: -0.4,
    bps_p95: 2.8,
    slope: 0.96,
    intercept_usd: -0.0031,
    coverage80: share(Math.round(n * 0.78), n),
  };
}

export const PREDICTION: readonly PredictionRow[] = ["*", "JUP", "SOL", "WIF"].map((asset, index) => ({
  asset,
  figures: errors(index === 3 ? 12 : 240 - index * 60, index === 1 ? -0.142 : -0.041),
  causes: {
    cex_slip_usd: "-4.120000",
    dex_slip_usd: "1.310000",
    fees_usd: "-0.044100",
    landing_usd: `${-8.4 + index * 3}`,
    residual_usd: "0.010000",
    error_usd: `${-11.24 + index * 3}`,
  },
  haircut_bps: asset === "*" ? null : "1",
  proposed_haircut_bps: asset === "JUP" ? "2.4" : null,
  markouts: [1, 10, 60].map((horizon, at) => ({
    horizon_s: horizon,
    trades: 228 - index * 60,
    mean_bps: index === 3 ? null : 0.4 - at * 1.2 + index * 0.5,
    residual_drift_usd: `${-0.0213 * horizon}`,
  })),
}));

function figures(label: string, seed: number): Figures {
  let total = 0;
  const equity = Array.from({ length: 220 }, (_, index): [number, number] => {
    total += (2.4 - seed * 0.8) * (0.6 + Math.sin(index * 0.37 + seed) + (index % 17 === 0 ? -4 : 0.2));
    return [FROM_MS + index * 360_000, Math.round(total * 100) / 100];
  });
  const hours = Array.from({ length: 24 }, (_, hour) => Math.round(14 + 9 * Math.sin((hour - 8) / 3.8)));
  return {
    label,
    windows: 412,
    eligible: 338,
    capture_count: share(217 - seed * 40, 338),
    capture_value: { value: 0.71 - seed * 0.1, low: 0.64 - seed * 0.1, high: 0.78 - seed * 0.1, n: 338 },
    attempt_success: share(217, 256),
    partials: share(11, 256),
    realised_eligible_usd: "812.40",
    oracle_usd: "1144.20",
    attempts: 256,
    unfinished: 0,
    outcomes: { both: 217, missed: 28, hedged: 11 },
    orders: { concurrent: 201, dex_first: 55 },
    limited_by: { dex_impact: 140, cex_depth: 71, inventory_kraken: 45 },
    blocked_by: { "shorter than 400 ms": 61, kraken_stale: 13 },
    refused_by: { min_profit: 44, slot_lag: 21, landing: 9 },
    failures: {},
    pnl_usd: total.toFixed(2),
    expected_usd: "801.20",
    notional_usd: "1204003.10",
    terms_usd: {},
    slips_usd: {},
    tail1_usd: "-6.41",
    rebalances: 3,
    rebalance_cost_usd: "4.20",
    errors: errors(256, -0.03),
    detect_to_fills_ms: { n: 217, p50: 604, p95: 1210, p99: 1490, largest: 2210 },
    detect_to_wire_ms: { n: 256, p50: 1.2, p95: 1.9, p99: 2.4, largest: 8 },
    naked_s: { n: 11, p50: 1.1, p95: 9.2, p99: 17.1, largest: 17.4 },
    naked_usd_s: 8120,
    stops: [],
    window_table: Array.from({ length: 8 }, (_, index) => ({
      window_id: `window-${index}`,
      asset: index % 2 === 0 ? "SOL" : "JUP",
      direction: "buy_cex_sell_dex",
      opened_at_ns: (FROM_MS + index * 420_000) * 1e6,
      life_ms: 800 + index * 130,
      close_cause: "competitor",
      peak_usd: "4.10",
      oracle_usd: "3.94",
      best_size_usd: "9120.00",
      gross_bps: 18.2,
      net_bps: 6.1,
      is_eligible: index !== 5,
      blocked_by: index === 5 ? "shorter than 400 ms" : "",
      outcome: index % 3 === 0 ? "both" : "",
      realised_usd: index % 3 === 0 ? "3.21" : "0.000000",
    })),
    series: {
      equity,
      windows_by_hour: hours,
      captured_by_hour: hours.map((count) => Math.round(count * 0.64)),
      error_bins_bps: Array.from({ length: 21 }, (_, index) => -40 + index * 4),
      error_counts: [0, 0, 1, 0, 1, 2, 2, 3, 6, 21, 88, 97, 24, 7, 2, 1, 1, 0, 0, 0, 0, 0],
    },
  };
}

export function studyHead(): StudyHead {
  return {
    id: "0192f3a1-9999-7000-8000-000000000001",
    kind: "backtest",
    source: "normal day, seed 7",
    source_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    seed: 7,
    from_ns: FROM_MS * 1e6,
    to_ns: FROM_MS * 1e6 + DAY_NS,
    columns: ["as configured", "fee_tier=10", "min_edge_bps=6"],
    version: "0.3.0",
    took_s: 121.4,
    created_at_ns: FROM_MS * 1e6 + DAY_NS,
  };
}

export function study(): StudyPicture {
  return {
    head: studyHead(),
    parameters: [{}, { fee_tier: "10" }, { min_edge_bps: "6" }],
    columns: ["as configured", "fee_tier=10", "min_edge_bps=6"].map(figures),
    ablation: null,
  };
}

export function feasibility(verdict: Feasibility["results"]["verdict"]): Feasibility {
  const told = verdict !== "abstain";
  return {
    id: `0192f3a1-aaaa-7000-8000-00000000000${told ? 1 : 2}`,
    asset: told ? "SOL" : "WIF",
    verdict,
    taker_bps: "26",
    source: "recording of 2025-11-22",
    source_hash: "aa",
    version: "0.3.0",
    created_at_ns: FROM_MS * 1e6,
    results: {
      asset: told ? "SOL" : "WIF",
      verdict,
      why: told ? "22.1 to 41.0 windows a day at 26 bps" : "12 independent samples in 0.4 h; 30 and 1 h are needed",
      taker_bps: "26",
      break_even_bps: 27.4,
      needed_bps: 29.4,
      hours: told ? 24 : 0.4,
      n: told ? 43_200 : 720,
      n_effective: told ? 812 : 12,
      share_above: 0.021,
      windows: 31,
      windows_per_day: told ? 31 : null,
      windows_per_day_low: told ? 22.1 : null,
      windows_per_day_high: told ? 41 : null,
      largest_taker_bps: told ? 33 : null,
      gap_p50_bps: 2.1,
      gap_p95_bps: 19.8,
      gap_p99_bps: 34.2,
      gap_largest_bps: 61.4,
      histogram_edges_bps: Array.from({ length: 21 }, (_, index) => -20 + index * 4),
      histogram_counts: [0, 1, 4, 19, 80, 412, 1201, 1800, 1422, 880, 402, 180, 77, 41, 20, 11, 6, 3, 2, 1, 1, 1],
    },
  };
}
