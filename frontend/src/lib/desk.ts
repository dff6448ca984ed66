/**
 * The desk as last heard: applies stream frames to the keyed store.
 *
 * Knows the rules of each stream (latest wins, last version wins, bounded event lists, a gap in
 * `seq` waits for a snapshot). Knows nothing of sockets or React.
 */
import type {
  Frame,
  Incident,
  Inventory,
  Metrics,
  Opportunity,
  Spread,
  Status,
  StreamName,
  Trade,
} from "./frames";
import { places } from "./decimal";
import { KeyedStore, type Scheduler } from "./store";

export const EVENT_LIMIT = 1000;
/** Two samples a second make a minute of line. */
export const SPARK_POINTS = 120;
const KPI_POINTS = 120;
const KPI_PERIOD_MS = 5000;
const MAX_PRICE_DECIMALS = 10;

/** A spread row and the most price decimals its Kraken market has shown. */
export interface SpreadView {
  readonly row: Spread;
  readonly decimals: number;
}

export interface Connection {
  readonly phase: "connecting" | "open" | "lost" | "ended" | "forbidden";
  /** Local ms since when the phase holds. */
  readonly sinceMs: number;
  readonly tries: number;
  /** How long the line was down before this opening; 0 for the first. */
  readonly downMs: number;
}

export interface KpiPoint {
  readonly pnlUsd: number;
  readonly fillsP50Ms: number | null;
  readonly capture: number | null;
  readonly trades: number;
}

/** Everything a component can subscribe to. */
export interface LiveValues {
  [spread: `spread:${string}`]: SpreadView;
  [spark: `spark:${string}`]: readonly (number | null)[];
  assets: readonly string[];
  status: Status;
  metrics: Metrics;
  inventory: Inventory;
  opportunities: readonly Opportunity[];
  trades: readonly Trade[];
  incidents: readonly Incident[];
  kpis: readonly KpiPoint[];
  connection: Connection;
  /** Last receipt per stream: when the engine side published it, server ms. */
  published: Readonly<Partial<Record<StreamName, number>>>;
  dropped: number;
  /** Worst screen age since the last beat, ms. */
  screenAge: number | null;
}

export type Applied = "applied" | "gap" | "waiting";

/** Keep the highest version of each row, newest first by `order`, bounded. */
export function mergeRows<Row extends { version: number }>(
  held: readonly Row[],
  incoming: readonly Row[],
  key: (row: Row) => string | number,
  order: (row: Row) => number,
): readonly Row[] {
  const rows = new Map(held.map((row) => [key(row), row]));
  for (const row of incoming) {
    const known = rows.get(key(row));
    if (known === undefined || row.version >= known.version) rows.set(key(row), row);
  }
  return [...rows.values()].sort((a, b) => order(b) - order(a)).slice(0, EVENT_LIMIT);
}

export class Desk {
  readonly store: KeyedStore<LiveValues>;
  private readonly seqs = new Map<StreamName, number>();
  private readonly waiting = new Set<StreamName>();
  private lastKpiMs = 0;
  /** Newest publish time applied since the last flush, server ms. */
  private unpainted = 0;

  constructor(schedule?: Scheduler) {
    this.store = new KeyedStore<LiveValues>(schedule);
  }

  /** A new connection counts from its own beginning; nothing of the old one continues. */
  restart(): void {
    this.seqs.clear();
    this.waiting.clear();
  }

  /** Forget everything heard: another person signs in. */
  clear(): void {
    this.restart();
    for (const asset of this.store.get("assets") ?? []) {
      this.store.delete(`spread:${asset}`);
      this.store.delete(`spark:${asset}`);
    }
    const held = ["assets", "status", "metrics", "inventory", "opportunities", "trades"] as const;
    for (const key of [...held, "incidents", "kpis", "published"] as const) this.store.delete(key);
  }

  /** Apply one valid frame; "gap" means a snapshot of that stream must be asked for. */
  apply(frame: Frame): Applied {
    const last = this.seqs.get(frame.stream);
    this.seqs.set(frame.stream, frame.seq);
    if (frame.kind === "snapshot") {
      this.waiting.delete(frame.stream);
    } else {
      if (this.waiting.has(frame.stream)) return "waiting";
      if (last !== undefined && frame.seq !== last + 1) {
        this.waiting.add(frame.stream);
        return "gap";
      }
    }
    this.write(frame);
    const publishedMs = frame.published_at_ns / 1e6;
    // A snapshot may carry an event of long ago; only news tells how fast news arrives.
    if (frame.kind === "delta") this.unpainted = Math.max(this.unpainted, publishedMs);
    this.store.set("published", { ...this.store.get("published"), [frame.stream]: publishedMs });
    return "applied";
  }

  /** Publish time of what this flush paints, once; null when nothing new is painted. */
  takePainted(): number | null {
    const painted = this.unpainted;
    this.unpainted = 0;
    return painted === 0 ? null : painted;
  }

  countDropped(): void {
    this.store.set("dropped", (this.store.get("dropped") ?? 0) + 1);
  }

  /** Extend every asset's line by its current net edge; a stale row leaves a hole. */
  sampleSparks(isStale: (row: Spread) => boolean): void {
    for (const asset of this.store.get("assets") ?? []) {
      const view = this.store.get(`spread:${asset}`);
      if (view === undefined) continue;
      const net = isStale(view.row) ? null : view.row.net_bps;
      const line = this.store.get(`spark:${asset}`) ?? [];
      this.store.set(`spark:${asset}`, [...line.slice(1 - SPARK_POINTS), net]);
    }
  }

  private write(frame: Frame): void {
    const snapshot = frame.kind === "snapshot";
    switch (frame.stream) {
      case "status":
        this.store.set("status", frame.data);
        return;
      case "spreads":
        this.writeSpreads(frame.data.rows, snapshot);
        return;
      case "metrics":
        this.writeMetrics(frame.data);
        return;
      case "inventory":
        this.store.set("inventory", frame.data);
        return;
      case "opportunities": {
        const held = snapshot ? [] : (this.store.get("opportunities") ?? []);
        this.store.set(
          "opportunities",
          mergeRows(held, frame.data.rows, (row) => row.window_id, (row) => row.opened_at_ns),
        );
        return;
      }
      case "trades": {
        const held = snapshot ? [] : (this.store.get("trades") ?? []);
        this.store.set(
          "trades",
          mergeRows(held, frame.data.rows, (row) => row.id, (row) => row.detect_at_ns),
        );
        return;
      }
      case "incidents": {
        const held = snapshot ? [] : (this.store.get("incidents") ?? []);
        this.store.set(
          "incidents",
          mergeRows(held, frame.data.rows, (row) => row.number, (row) => row.opened_at_ns),
        );
      }
    }
  }

  private writeSpreads(rows: readonly Spread[], snapshot: boolean): void {
    const held = this.store.get("assets") ?? [];
    const incoming = rows.map((row) => row.asset);
    if (snapshot) {
      for (const asset of held) if (!incoming.includes(asset)) this.store.delete(`spread:${asset}`);
      this.store.set("assets", [...new Set(incoming)]);
    } else {
      const fresh = incoming.filter((asset) => !held.includes(asset));
      if (fresh.length > 0) this.store.set("assets", [...new Set([...held, ...fresh])]);
    }
    for (const row of rows) {
      const known = this.store.get(`spread:${row.asset}`);
      const shown = row.cex_price === null ? 0 : places(row.cex_price);
      const decimals = Math.min(MAX_PRICE_DECIMALS, Math.max(known?.decimals ?? 0, shown));
      this.store.set(`spread:${row.asset}`, { row, decimals });
    }
  }

  private writeMetrics(metrics: Metrics): void {
    this.store.set("metrics", metrics);
    const atMs = metrics.at_ns / 1e6;
    if (atMs - this.lastKpiMs < KPI_PERIOD_MS) return;
    this.lastKpiMs = atMs;
    const { eligible_windows: eligible, captured_windows: captured } = metrics;
    const point: KpiPoint = {
      pnlUsd: Number(metrics.net_pnl_usd),
      fillsP50Ms: metrics.fills_p50_ms,
      capture: eligible > 0 ? captured / eligible : null,
      trades: metrics.trades,
    };
    this.store.set("kpis", [...(this.store.get("kpis") ?? []).slice(1 - KPI_POINTS), point]);
  }
}
