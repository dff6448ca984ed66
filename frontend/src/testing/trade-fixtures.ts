/** One trade whole, with its error and a person's orders, for looking at and for tests. */
import type { Intent, Resolution, TradeError, TradePicture } from "../lib/api";
import type { Trade } from "../lib/frames";

const ns = (ms: number) => Math.round(ms * 1e6);

/** A trade that waits for a person: the swap failed after Kraken had filled. */
export function parkedTrade(nowMs: number): Trade {
  const detectMs = nowMs - 95_000;
  const common = { qty: "12.5000", fee_usd: "1.8463", side: "buy" };
  return {
    id: "0192f3a1-7777-7000-8000-000000000001",
    version: 9,
    intent_key: "7c1f3a5e-4f0b-5d43-9a52-0f8e6f3b7aff",
    asset: "SOL",
    direction: "buy_cex_sell_dex",
    policy: "concurrent",
    state: "operator",
    outcome: "partial",
    verified: false,
    size_base: "12.5000",
    notional_usd: "2307.75",
    expected_pnl_usd: "1.8421",
    realised_pnl_usd: null,
    detect_at_ns: ns(detectMs),
    both_filled_ms: null,
    residual_base: "4.2500",
    legs: [
      { ...common, leg: "cex", seq: 1, venue: "kraken", state: "filled", filled: "12.5000", price: "184.62", reference: "OABCDE-12345-FGHIJK", sent_at_ns: ns(detectMs + 3), acked_at_ns: ns(detectMs + 40), filled_at_ns: ns(detectMs + 61) },
      { ...common, leg: "dex", seq: 1, venue: "solana", side: "sell", state: "dead", filled: "0", price: null, fee_usd: "0.0009", reference: "5hK2uQpXw9fQaR7sT1vYz3bC5dE7gH9jK2mN4pQ6rS8tU", sent_at_ns: ns(detectMs + 4), acked_at_ns: null, filled_at_ns: null },
      { ...common, leg: "hedge", seq: 1, venue: "kraken", side: "sell", state: "filled", filled: "8.2500", price: "184.40", reference: "OZZZZZ-98765-AAAAAA", sent_at_ns: ns(detectMs + 17_400), acked_at_ns: ns(detectMs + 17_440), filled_at_ns: ns(detectMs + 17_470) },
    ],
    closed_at_ns: null,
    reason: "3 hedges were not enough",
    book: "live",
  };
}

const PNL: Intent["pnl"] = {
  sell_proceeds: "2312.181200",
  buy_cost: "2307.750000",
  cex_fee: "1.846300",
  chain_fee: "0.000900",
  failure_cost: "0.741900",
  expected: "1.842100",
  haircut: "0.230800",
  basis_cost: "0.012000",
  inventory_cost: "0.040000",
  leg_risk: "0.310000",
  decision_value: "1.249300",
};

function intent(trade: Trade): Intent {
  const detect = trade.detect_at_ns;
  const whole = {
    intent_key: trade.intent_key,
    window_id: "9b2d7c1e-0000-5000-8000-000000000001",
    ordinal: 1,
    asset: trade.asset,
    direction: trade.direction as Intent["direction"],
    mode: "live",
    qty_lots: 1_250_000_000,
    base_raw: 12_500_000_000,
    verdict: {
      order: "concurrent",
      p_land: 0.912,
      p_land_lower: 0.874,
      unwind_bps: 53,
      drift_bps: 1.5,
      fail_fee_bps: 0.04,
      ev_concurrent_bps: 6.21,
      ev_dex_first_bps: 5.87,
      ev_cex_first_bps: 4.9,
      forced_by_config: false,
      q_fill: 0.985,
      congestion: "usual",
      opening: "sudden",
    },
    pnl: PNL,
    notional_usd: trade.notional_usd,
    min_pnl_usd: "0.4100",
    limited_by: "dex_impact",
    gross_bps: 19.2,
    net_bps: 7.98,
    ages: { frame_ms: 0.4, book_ms: 38, pool_ms: 212, slot_lag: 1, mark_ms: 44, balances_ms: 3120, fees_ms: 41_000, clock_skew_ms: 12 },
    detect_ns: detect,
    decided_ns: detect + 61_000,
    config_version: 118,
    cu_price_micro_lamports: 12_400,
    tip_lamports: 0,
    compute: { units: 74_350, source: "simulation", samples: 20, largest: 49_000, at_ns: detect - 3_000_000_000 },
    slack: { cex_share: "0.37", trades: 31, cex_bps: 1.2, dex_bps: 2.1, at_ns: detect - 90_000_000_000 },
  };
  return whole as unknown as Intent;
}

/** The trade as its address answers it. */
export function tradePicture(trade: Trade): TradePicture {
  const made = intent(trade);
  const at = (ms: number) => trade.detect_at_ns + ns(ms);
  const attempts = trade.legs.map((leg) => ({
    id: `attempt-${leg.leg}-${leg.seq}`,
    leg: leg.leg,
    seq: leg.seq,
    state: leg.state,
    cl_ord_id: leg.venue === "kraken" ? "s1-a91c" : null,
    order_id: leg.venue === "kraken" ? leg.reference : "",
    signature: leg.venue === "solana" ? leg.reference : null,
    deadline_ns: null,
    last_valid_height: leg.venue === "solana" ? 291_345_390 : null,
    is_booked: leg.leg === "cex",
    evidence:
      leg.state === "dead"
        ? [
            { event: "landed_failed", at_ns: at(1310), answer: "custom program error 0x1771: amount out below minimum" },
            { asked: "signature statuses with history, and the finalized height", at_ns: at(17_200), answer: ["not found", "height 291345402"] },
          ]
        : [],
  }));
  const verdict = {
    act: "operator",
    venue: "",
    side: "sell",
    residual_base: trade.residual_base,
    notional_usd: "784.100000",
    naked_ms: 31_200,
    is_provisional: false,
    suggestion: "sell it on kraken, about 2.11 USD",
    ways: [
      { act: "hedge", venue: "kraken", cost_usd: "2.114200", why: "" },
      { act: "cross_back", venue: "solana", cost_usd: "3.402000", why: "" },
      { act: "wait", venue: "", cost_usd: null, why: "waited 2 s already" },
      { act: "keep", venue: "", cost_usd: null, why: "784 USD, more than 100 may stay" },
    ],
  };
  return {
    trade,
    intent: made,
    quote: {
      type: "bound_quote",
      intent_key: trade.intent_key,
      asset: trade.asset,
      side: "sell",
      pool: "Czfq3xZZDmsdGdUyrNLtRhGc47cXcZtLG4crryfu44zE",
      source: "pool",
      base_raw: 12_500_000_000,
      quote_raw: 2_312_181_200,
      threshold_raw: 2_309_700_000,
      slippage_cap_bps: "30",
      slot: 291_345_221,
      at_ns: trade.detect_at_ns + 61_000,
      expires_ns: trade.detect_at_ns + 200_061_000,
    },
    attempts,
    fills: [],
    ledger: [],
    verdicts:
      trade.state === "operator"
        ? [
            { ...verdict, at_ns: at(17_380), act: "hedge", venue: "kraken", reason: "the cheapest way", residual_base: "12.5000", naked_ms: 17_300, notional_usd: "2307.750000" },
            { ...verdict, at_ns: at(48_000), reason: trade.reason },
          ]
        : [],
  } as unknown as TradePicture;
}

/** Its error by cause; none before it is booked. */
export function tradeError(trade: Trade): TradeError {
  return {
    expected_usd: trade.expected_pnl_usd,
    realised_usd: trade.realised_pnl_usd,
    causes:
      trade.realised_pnl_usd === null
        ? null
        : {
            cex_slip_usd: "-0.120000",
            dex_slip_usd: "0.310000",
            fees_usd: "-0.004100",
            landing_usd: "0.434100",
            residual_usd: "0.000000",
            error_usd: "0.620000",
          },
  };
}

/** A person's order in one of its states. */
export function order(nowMs: number, over: Partial<Resolution> = {}): Resolution {
  return {
    id: "0192f3a1-8888-7000-8000-000000000001",
    trade_id: "0192f3a1-7777-7000-8000-000000000001",
    act: "preview",
    state: "done",
    venue: "",
    reference: "",
    detail: {
      venue: "kraken",
      side: "sell",
      qty: "4.2500",
      residual_base: "4.2500",
      price: "184.38",
      limit_price: "183.83",
      notional_usd: "783.62",
      cost_usd: "2.1142",
      suggestion: "sell it on kraken, about 2.11 USD",
    } as unknown as Resolution["detail"],
    user: "operator-a",
    reason: "",
    approved_by: "",
    answer: "sell 4.2500 at 184.38, limit 183.83",
    created_at_ns: ns(nowMs - 2000),
    expires_at_ns: ns(nowMs + 298_000),
    answered_at_ns: ns(nowMs - 1200),
    ...over,
  };
}
