/**
 * The shape of every message of the console socket, checked where it enters the browser.
 *
 * A frame that does not fit is counted and dropped whole, never half-applied. Names are those
 * of the engine's own messages; amounts are decimal text, `*_ns` are unix nanoseconds.
 */
import { config, z } from "zod";

// The compiled validators need `new Function`, which the content policy forbids.
config({ jitless: true });

const decimal = z.string().regex(/^[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?$/);
const mode = z.enum(["live", "paper", "observe", "hedge_only", "stop_new", "halt"]);
const ms = z.number().nullable();

export const stopReasonSchema = z.object({
  asset: z.string(),
  mode,
  rule: z.string(),
  text: z.string(),
  value: z.string(),
  limit: z.string(),
  since_ns: z.number(),
});

export const venueSchema = z.object({
  venue: z.string(),
  status: z.enum(["healthy", "degraded", "stale", "down", "standby"]),
  proof_age_ms: ms,
  data_age_ms: ms,
  limit_ms: z.number(),
  rtt_ms: ms,
  slot: z.number().nullable(),
  slot_lag: z.number().nullable(),
  messages_per_s: z.number(),
  reconnects: z.number(),
  checksum_failures: z.number(),
  endpoint: z.string(),
});

/** The last thing Jupiter answered on one asset and side, beside the direct pool. */
export const routeSchema = z.object({
  asset: z.string(),
  side: z.enum(["buy", "sell"]),
  outcome: z.string(),
  route_id: z.string(),
  asked_at_ns: z.number(),
  latency_ms: ms,
  latency_delta_ms: ms,
  delta_bps: z.number().nullable(),
  lag_slots: z.number().nullable(),
});

export const statusSchema = z.object({
  mode,
  beat_ns: z.number(),
  started_at_ns: z.number(),
  epoch: z.number(),
  control_version: z.number(),
  config_version: z.number(),
  applied_commands: z.array(z.string()),
  reasons: z.array(stopReasonSchema),
  venues: z.array(venueSchema),
  open_trades: z.number(),
  unhedged_usd: decimal,
  profile: z.string(),
  routes: z.array(routeSchema).default([]),
});

export const spreadSchema = z.object({
  asset: z.string().min(1),
  direction: z.enum(["buy_dex_sell_cex", "buy_cex_sell_dex"]),
  cex_symbol: z.string(),
  cex_price: decimal.nullable(),
  dex_price: decimal.nullable(),
  gross_bps: z.number().nullable(),
  cost_bps: z.number().nullable(),
  net_bps: z.number().nullable(),
  size_usd: decimal.nullable(),
  size_base: decimal.nullable(),
  limited_by: z.string(),
  state: z.enum(["armed", "below_cost", "observe", "paper", "paused", "auto_paused", "blocked"]),
  reason: z.string(),
  book_age_ms: ms,
  proof_age_ms: ms,
  pool_age_ms: ms,
  slot_lag: z.number().nullable(),
  at_ns: z.number(),
});

export const opportunitySchema = z.object({
  window_id: z.string().min(1),
  version: z.number(),
  asset: z.string(),
  direction: z.string(),
  state: z.enum(["open", "closed"]),
  decision: z.enum(["taken", "stored", "refused", "watched"]),
  gate: z.string(),
  gate_value: z.string(),
  gate_limit: z.string(),
  gross_bps: z.number(),
  net_bps: z.number(),
  size_usd: decimal,
  limited_by: z.string(),
  expected_pnl_usd: decimal,
  opened_at_ns: z.number(),
  closed_at_ns: z.number().nullable(),
  close_cause: z.string(),
  intent_key: z.string().nullable(),
});

export const legSchema = z.object({
  leg: z.enum(["cex", "dex", "hedge"]),
  seq: z.number(),
  venue: z.string(),
  side: z.string(),
  state: z.string(),
  qty: decimal,
  filled: decimal,
  price: decimal.nullable(),
  fee_usd: decimal,
  reference: z.string(),
  sent_at_ns: z.number().nullable(),
  acked_at_ns: z.number().nullable(),
  filled_at_ns: z.number().nullable(),
});

export const tradeSchema = z.object({
  id: z.string().min(1),
  version: z.number(),
  intent_key: z.string(),
  asset: z.string(),
  direction: z.string(),
  policy: z.string(),
  state: z.enum(["open", "hedging", "closed", "operator"]),
  outcome: z.enum(["both", "partial", "missed", "hedged", "pending"]),
  verified: z.boolean(),
  size_base: decimal,
  notional_usd: decimal,
  expected_pnl_usd: decimal,
  realised_pnl_usd: decimal.nullable(),
  detect_at_ns: z.number(),
  both_filled_ms: ms,
  residual_base: decimal,
  legs: z.array(legSchema),
  closed_at_ns: z.number().nullable(),
  reason: z.string().default(""),
  /** Which ledger: model fills are never summed with money. */
  book: z.enum(["live", "paper"]).default("live"),
});

export const histogramSchema = z.object({
  edges_us: z.array(z.number()),
  counts: z.array(z.number()),
  p50_us: ms,
  p95_us: ms,
  p99_us: ms,
  count: z.number(),
});

export const metricsSchema = z.object({
  at_ns: z.number(),
  day: z.string(),
  net_pnl_usd: decimal,
  expected_pnl_usd: decimal,
  fills_p50_ms: ms,
  fills_p95_ms: ms,
  eligible_windows: z.number(),
  captured_windows: z.number(),
  trades: z.number(),
  verified: z.number(),
  partials: z.number(),
  missed: z.number(),
  notional_usd: decimal,
  notional_cap_usd: decimal,
  unhedged_usd: decimal,
  unhedged_max_usd: decimal,
  unhedged_max_s: z.number(),
  tick_to_signal: histogramSchema,
  signals: z.number(),
  opportunities: z.number(),
  duplicates: z.number(),
});

export const inventorySchema = z.object({
  rows: z.array(
    z.object({
      asset: z.string().min(1),
      kraken: decimal,
      solana: decimal,
      total_usd: decimal,
      kraken_share_pct: z.number(),
      drift_pct: z.number(),
      limit_pct: z.number(),
    }),
  ),
  at_ns: z.number(),
});

export const incidentSchema = z.object({
  number: z.number(),
  priority: z.enum(["critical", "warning", "notice"]),
  state: z.enum(["open", "acked", "closed"]),
  asset: z.string(),
  rule: z.string(),
  text: z.string(),
  value: z.string(),
  limit: z.string(),
  opened_at_ns: z.number(),
  closed_at_ns: z.number().nullable().default(null),
  version: z.number().default(0),
});

const envelope = {
  seq: z.number(),
  kind: z.enum(["snapshot", "delta"]),
  published_at_ns: z.number(),
};

export const frameSchema = z.discriminatedUnion("stream", [
  z.object({ stream: z.literal("status"), ...envelope, data: statusSchema }),
  z.object({
    stream: z.literal("spreads"),
    ...envelope,
    data: z.object({ rows: z.array(spreadSchema) }),
  }),
  z.object({
    stream: z.literal("opportunities"),
    ...envelope,
    data: z.object({ rows: z.array(opportunitySchema) }),
  }),
  z.object({
    stream: z.literal("trades"),
    ...envelope,
    data: z.object({ rows: z.array(tradeSchema) }),
  }),
  z.object({ stream: z.literal("metrics"), ...envelope, data: metricsSchema }),
  z.object({ stream: z.literal("inventory"), ...envelope, data: inventorySchema }),
  z.object({
    stream: z.literal("incidents"),
    ...envelope,
    data: z.object({ rows: z.array(incidentSchema) }),
  }),
]);

export type Mode = z.infer<typeof mode>;
export type StopReason = z.infer<typeof stopReasonSchema>;
export type VenueHealth = z.infer<typeof venueSchema>;
export type Route = z.infer<typeof routeSchema>;
export type Status = z.infer<typeof statusSchema>;
export type Spread = z.infer<typeof spreadSchema>;
export type SpreadState = Spread["state"];
export type Opportunity = z.infer<typeof opportunitySchema>;
export type Leg = z.infer<typeof legSchema>;
export type Trade = z.infer<typeof tradeSchema>;
export type Histogram = z.infer<typeof histogramSchema>;
export type Metrics = z.infer<typeof metricsSchema>;
export type Inventory = z.infer<typeof inventorySchema>;
export type Incident = z.infer<typeof incidentSchema>;
export type Frame = z.infer<typeof frameSchema>;
export type StreamName = Frame["stream"];

export const STREAMS: readonly StreamName[] = [
  "status",
  "spreads",
  "opportunities",
  "trades",
  "metrics",
  "inventory",
  "incidents",
];
