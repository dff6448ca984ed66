/** Six figures of the running UTC day in one strip, each with its limit beside it. */
import type { ReactNode } from "react";
import { Link } from "react-router";

import { Spark } from "@/components/spark";
import { Money, Pnl } from "@/components/values";
import { cn } from "@/lib/cn";
import { parseDecimal, ratio } from "@/lib/decimal";
import type { KpiPoint } from "@/lib/desk";
import * as format from "@/lib/format";
import type { Metrics } from "@/lib/frames";
import { useAge, useDesk } from "@/lib/live";
import { freshness } from "@/lib/states";
import { testId } from "@/lib/testids";

const SLO_P50_MS = 700;
const SLO_CAPTURE = 0.6;

interface KpiProps {
  readonly name: string;
  readonly label: string;
  readonly value: ReactNode;
  readonly raw: string;
  readonly children: ReactNode;
  readonly spark?: ReactNode;
  readonly to?: string;
  readonly title?: string | undefined;
  readonly headline?: boolean;
}

function Kpi({ name, label, value, raw, children, spark, to, title, headline }: KpiProps) {
  const body = (
    <>
      <span className="text-caption text-text-3">{label}</span>
      <span className="flex items-end justify-between gap-2">
        <span
          data-testid={testId.kpi(name)}
          data-value={raw}
          className={cn(
            "font-semibold tracking-[-0.025em] whitespace-nowrap",
            headline === true ? "text-headline" : "text-kpi",
          )}
        >
          {value}
        </span>
        <span className="pb-1 max-xl:hidden">{spark}</span>
      </span>
      <span className="text-caption text-text-3">{children}</span>
    </>
  );
  const frame = "flex min-w-0 flex-col gap-0.5 bg-surface-1 px-3.5 py-3 outline-offset-[-2px]";
  return to === undefined ? (
    <div title={title} className={frame}>
      {body}
    </div>
  ) : (
    <Link to={to} title={title} className={cn(frame, "transition-colors duration-[120ms] hover:bg-surface-2")}>
      {body}
    </Link>
  );
}

const B = ({ children }: { readonly children: ReactNode }) => (
  <span className="font-semibold text-text-2">{children}</span>
);

function line(kpis: readonly KpiPoint[], pick: (point: KpiPoint) => number | null) {
  return kpis.map(pick);
}

function share(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

const STRIP =
  "grid grid-cols-2 gap-px overflow-hidden rounded-card border border-line bg-line sm:grid-cols-3 xl:grid-cols-[1.25fr_1fr_1fr_1fr_1fr_1fr]";

export function KpiStrip() {
  const metrics = useDesk("metrics");
  const kpis = useDesk("kpis") ?? [];
  const age = useAge(metrics === undefined ? null : metrics.at_ns / 1e6);
  if (metrics === undefined) return <KpiSkeleton />;
  const stale = freshness("metrics", age) === "stale";
  return (
    <section
      aria-label="Key figures of the UTC day"
      data-state={stale ? "stale" : "fresh"}
      className={cn(STRIP, stale && "[&_*]:text-text-3")}
    >
      <PnlKpi metrics={metrics} kpis={kpis} stale={stale} />
      <FillKpi metrics={metrics} kpis={kpis} />
      <CaptureKpi metrics={metrics} kpis={kpis} />
      <TradesKpi metrics={metrics} kpis={kpis} />
      <NotionalKpi metrics={metrics} />
      <UnhedgedKpi metrics={metrics} />
    </section>
  );
}

function KpiSkeleton() {
  return (
    <div aria-hidden="true" className={STRIP}>
      {Array.from({ length: 6 }, (_, index) => (
        <div key={index} className="flex flex-col gap-2.5 bg-surface-1 px-3.5 py-3.5">
          <div className="h-3 w-20 rounded-bar bg-surface-2" />
          <div className="h-6 w-28 rounded-bar bg-surface-3" />
          <div className="h-3 w-32 rounded-bar bg-surface-2" />
        </div>
      ))}
    </div>
  );
}

interface PartProps {
  readonly metrics: Metrics;
  readonly kpis: readonly KpiPoint[];
}

function PnlKpi({ metrics, kpis, stale }: PartProps & { readonly stale: boolean }) {
  const sign = format.pnlSign(metrics.net_pnl_usd);
  const against = format.deviationPercent(metrics.net_pnl_usd, metrics.expected_pnl_usd);
  return (
    <Kpi
      name="net-pnl"
      label="Net P&L today"
      raw={metrics.net_pnl_usd}
      to="/trades"
      headline
      value={<Pnl value={metrics.net_pnl_usd} stale={stale} />}
      spark={
        <Spark
          points={line(kpis, (point) => point.pnlUsd)}
          span={Math.max(12, kpis.length)}
          width={84}
          height={30}
          area
          label="Net P&L since this page was opened"
          className={stale || sign === 0 ? "text-line-control" : sign > 0 ? "text-gain" : "text-loss"}
        />
      }
    >
      {metrics.trades === 0 ? (
        "No trades yet today"
      ) : (
        <>
          <B>{format.signedPercent(against)}</B> vs predicted {format.usd(metrics.expected_pnl_usd, 2)}
        </>
      )}
    </Kpi>
  );
}

function FillKpi({ metrics, kpis }: PartProps) {
  const p50 = metrics.fills_p50_ms;
  const [figure, unit] = format.latency(p50).split(" ");
  return (
    <Kpi
      name="fill-latency"
      label="Detect to both fills, p50"
      raw={p50 === null ? "" : String(p50)}
      to="/trades"
      value={
        <>
          {figure}
          {unit === undefined ? null : <span className="ml-1 text-body font-medium text-text-2">{unit}</span>}
        </>
      }
      spark={
        <Spark
          points={line(kpis, (point) => point.fillsP50Ms)}
          span={Math.max(12, kpis.length)}
          threshold={SLO_P50_MS}
          width={64}
          height={24}
          label="Median time to both fills since this page was opened, with its 700 ms objective"
          className="text-text-3"
        />
      }
    >
      p95 <B>{format.latency(metrics.fills_p95_ms)}</B> · <span className="whitespace-nowrap">SLO 700 ms / 1.5 s</span>
    </Kpi>
  );
}

function CaptureKpi({ metrics, kpis }: PartProps) {
  const { captured_windows: hits, eligible_windows: n } = metrics;
  const capture = share(hits, n);
  const [figure, unit] = capture === null ? [format.UNKNOWN, ""] : [format.percent(capture).replace("%", ""), "%"];
  const band = format.wilson(hits, n);
  return (
    <Kpi
      name="capture"
      label="Capture rate"
      raw={capture === null ? "" : String(capture)}
      to="/opportunities"
      title={
        band === null
          ? "No eligible window yet today"
          : `95% interval ${format.percent(band[0])} to ${format.percent(band[1])} (Wilson, n = ${n})`
      }
      value={
        <>
          {figure}
          <span className="ml-0.5 text-body font-medium text-text-2">{unit}</span>
        </>
      }
      spark={
        <Spark
          points={line(kpis, (point) => point.capture)}
          span={Math.max(12, kpis.length)}
          threshold={SLO_CAPTURE}
          width={64}
          height={24}
          label="Capture rate since this page was opened, with its 60% objective"
          className="text-text-3"
        />
      }
    >
      <B>{hits}</B> of {n} windows · <span className="whitespace-nowrap">SLO 60%</span>
    </Kpi>
  );
}

function TradesKpi({ metrics, kpis }: PartProps) {
  return (
    <Kpi
      name="trades"
      label="Trades"
      raw={String(metrics.trades)}
      to="/trades"
      title={`${metrics.missed} missed: nothing filled on either leg`}
      value={metrics.trades.toLocaleString("en-US")}
      spark={
        <Spark
          points={line(kpis, (point) => point.trades)}
          span={Math.max(12, kpis.length)}
          width={64}
          height={24}
          label="Trades since this page was opened"
          className="text-text-3"
        />
      }
    >
      verified <B>{format.percent(share(metrics.verified, metrics.trades))}</B> · partial{" "}
      <B>{format.percent(share(metrics.partials, metrics.trades))}</B>
    </Kpi>
  );
}

function NotionalKpi({ metrics }: { readonly metrics: Metrics }) {
  const used = parseDecimal(metrics.notional_usd);
  const cap = parseDecimal(metrics.notional_cap_usd);
  const part = used === null || cap === null ? null : ratio(used, cap);
  const over = part !== null && part >= 0.8;
  return (
    <Kpi
      name="notional"
      label="Daily notional"
      raw={metrics.notional_usd}
      value={<Money value={metrics.notional_usd} compact />}
    >
      <span className="flex items-center gap-2">
        <span aria-hidden="true" className="h-[5px] w-20 max-w-[40%] overflow-hidden rounded-full bg-surface-3">
          <span
            style={{ width: `${Math.min(100, (part ?? 0) * 100)}%` }}
            className={cn("block h-full", over ? "bg-warn" : "bg-text-2")}
          />
        </span>
        <span className="truncate">
          <B>{format.percent(part)}</B> of {format.usdCompact(metrics.notional_cap_usd)}
        </span>
      </span>
    </Kpi>
  );
}

function UnhedgedKpi({ metrics }: { readonly metrics: Metrics }) {
  return (
    <Kpi
      name="unhedged"
      label="Unhedged exposure"
      raw={metrics.unhedged_usd}
      value={<Money value={metrics.unhedged_usd} decimals={2} />}
    >
      max today <B>{format.usd(metrics.unhedged_max_usd)}</B> for{" "}
      <B>{format.age(metrics.unhedged_max_s * 1000)}</B>
    </Kpi>
  );
}
