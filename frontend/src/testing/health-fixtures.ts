/** Findings, settings and the two books of a made-up desk. Never part of the build. */
import type { AssetConfig, BookFigures, Control, DeskRisk, Health, PaperPicture } from "../lib/api";
import type { Route } from "../lib/frames";

const ns = (ms: number) => Math.round(ms * 1e6);

/** RAY was stopped by a loss, and one person has ordered it to go on. */
export function controls(nowMs: number): Control[] {
  return [
    {
      scope: "RAY",
      mode: "hedge_only",
      set_mode: "live",
      rules: ["daily_loss"],
      version: 3,
      command_id: "",
      actor: "engine",
      reason: "daily loss",
      since_ns: ns(nowMs - 600_000),
      leaves_by: "second_person",
      leaves_words: "two people, each with a second factor and a reason",
      asked_by: ["operator-b"],
    },
  ];
}

export function risk(nowMs: number): DeskRisk {
  return {
    at_ns: ns(nowMs),
    limits: {
      version: 2,
      max_open_usd: "60000",
      daily_notional_cap_usd: "3000000",
      fee_floor_sol: "0.1",
      changed_by: "operator-a",
      in_force_at_ns: ns(nowMs - 9e8),
    },
    open_usd: "4210.00",
    day_usd: "412600.00",
    worst_case: {
      usd: "412.40",
      now_usd: "28.94",
      concurrent_trades: 12,
      notional_usd: "60000",
      bound_by: "desk_open",
      adverse_bps: 68.7,
      proof_s: 17.2,
      proof_source: "measured",
      volatility_pct_year: 90,
      sigmas: 10,
    },
  };
}

export function routes(nowMs: number): Route[] {
  const row = (asset: string, side: Route["side"], ago: number, over: Partial<Route> = {}): Route => ({
    asset,
    side,
    outcome: "ok",
    route_id: "0199c3e2-58c1-7a4e-9f0b-2d4be1c0a771",
    asked_at_ns: ns(nowMs - ago),
    latency_ms: 84,
    latency_delta_ms: 83,
    delta_bps: -0.7,
    lag_slots: 1,
    ...over,
  });
  const refused = { outcome: "rate_limited", route_id: "", latency_ms: null, latency_delta_ms: null, delta_bps: null, lag_slots: null };
  return [row("SOL", "buy", 12_300), row("SOL", "sell", 41_800, { delta_bps: 0.4 }), row("JUP", "buy", 9_100, refused)];
}

export function health(nowMs: number): Health {
  const check = (name: string, seen: string, remedy = "") => ({ name, is_green: remedy === "", seen, remedy });
  return {
    at_ns: ns(nowMs),
    inspections: [
      {
        kind: "canary",
        at_ns: ns(nowMs - 2.2 * 3_600_000),
        is_green: true,
        actor: "engine",
        lasts_s: 86_400,
        checks: [
          check("clock offset", "Kraken 0.04 s, Solana 0.31 s, at most 1.5 s"),
          check("deadline honoured", "an order with a deadline of 5 s ago was refused: EOrder:Deadline elapsed"),
          check("nonce", "two in a row taken"),
          check("quote against simulation", "SOL 1,240,113 of 1,240,113 raw in slot 291,345,221"),
          check("page delivery", "the test page is in the log"),
        ],
      },
      {
        kind: "preflight",
        at_ns: ns(nowMs - 21 * 60_000),
        is_green: false,
        actor: "operator-a",
        lasts_s: 900,
        checks: [
          check("database", "answers in 1.2 ms"),
          check("taker fee", "SOL/USD 26 bps, read 4 s ago"),
          check("balances", "Solana 0.04 SOL, at least 0.10 SOL", "send SOL to the trading wallet"),
        ],
      },
    ],
    starts: [4, 3, 2].map((epoch) => ({
      shard: "main",
      epoch,
      at_ns: ns(nowMs - (5 - epoch) * 3_600_000),
      reconciled_ms: epoch === 2 ? null : 1840 + epoch * 70,
      settled_ms: epoch === 2 ? null : epoch === 3 ? 16_420 : 1840 + epoch * 70,
      stages_ms: epoch === 2 ? {} : { loaded: 910, connected: 960, leased: 1004, desk_read: 1130, private_up: 1620, balances_read: 1711, reconciled: 1840 + epoch * 70, market_up: 2400 },
    })),
  };
}

export function config(asset: string, nowMs: number): AssetConfig {
  const inForce: AssetConfig["in_force"] = {
    asset,
    version: 4,
    status: "in_force",
    enabled: true,
    mode: asset === "PYTH" ? "observe" : "live",
    leg_order: "auto",
    min_edge_bps: "2",
    min_profit_usd: "0.25",
    haircut_bps: "1",
    slippage_cap_bps: "30",
    max_notional_usd: "20000",
    cex_depth_cap: "0.5",
    dex_impact_cap_bps: "20",
    daily_notional_cap_usd: "1000000",
    daily_loss_cap_usd: "500",
    daily_trades_cap: 400,
    max_frame_age_ms: 1500,
    max_slot_lag: 3,
    cooldown_ms: 500,
    intents_per_window: 1,
    cu_price_micro_lamports: 10_000,
    tip_lamports: 0,
    order_deadline_ms: 5000,
    max_hedges: 3,
    max_naked_usd: "5000",
    max_naked_s: 30,
    inventory_band_pct: "15",
    created_by: "operator-a",
    reason: "start of the quarter",
    created_at_ns: ns(nowMs - 9e8),
    in_force_at_ns: ns(nowMs - 9e8),
  };
  const proposed = { ...inForce, version: 5, status: "proposed", haircut_bps: "2.4", max_notional_usd: "25000", created_by: "operator-b", reason: "residual quantiles of 228 trades", created_at_ns: ns(nowMs - 740_000), in_force_at_ns: null };
  return {
    asset,
    in_force: inForce,
    proposals:
      asset === "JUP"
        ? [
            {
              config: proposed,
              changes: [
                { field: "haircut_bps", before: "1", after: "2.4", is_looser: false },
                { field: "max_notional_usd", before: "20000", after: "25000", is_looser: true },
              ],
              approved_by: ["operator-c"],
              approvals_needed: 2,
            },
          ]
        : [],
  };
}

function book(trades: number, pnl: string, p50: number): BookFigures {
  return {
    trades,
    both_filled: trades - 2,
    eligible_windows: trades + 30,
    captured_windows: trades - 2,
    realised_usd: `${Number(pnl) * trades}`,
    pnl_per_trade_usd: pnl,
    error_per_trade_usd: "-0.0412",
    fills_p50_ms: p50,
    fills_p95_ms: p50 * 2.1,
  };
}

export function paper(nowMs: number): PaperPicture {
  return {
    since_ns: ns(nowMs - 7 * 86_400_000),
    until_ns: ns(nowMs),
    assets: [
      { asset: "SOL", live: book(148, "1.8412", 612), paper: book(131, "2.2110", 540), pnl_per_trade_gap_usd: "0.3698", fills_p50_gap_ms: -72, capture_gap: 0.041 },
      {
        asset: "RENDER",
        live: { ...book(2, "0", 0), trades: 0, both_filled: 0, eligible_windows: 0, captured_windows: 0, realised_usd: "0", pnl_per_trade_usd: null, error_per_trade_usd: null, fills_p50_ms: null, fills_p95_ms: null },
        paper: book(22, "0.6120", 588),
        pnl_per_trade_gap_usd: null,
        fills_p50_gap_ms: null,
        capture_gap: null,
      },
    ],
  };
}
