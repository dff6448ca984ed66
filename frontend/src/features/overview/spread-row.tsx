/**
 * One asset's line. It subscribes to its own row only.
 *
 * Treatment follows the age of the feed's proof of life: a quiet book on a live feed is not
 * stale. What is stale loses its colour, and what is derived from it is not shown at all.
 */
import { Clock } from "lucide-react";

import { EdgeBar } from "@/components/edge-bar";
import { Spark } from "@/components/spark";
import { SpreadChip } from "@/components/spread-chip";
import { Direction, Money, Price, Unknown } from "@/components/values";
import { cn } from "@/lib/cn";
import { SPARK_POINTS, type SpreadView } from "@/lib/desk";
import * as format from "@/lib/format";
import type { Spread, Status } from "@/lib/frames";
import { useDesk, useNow } from "@/lib/live";
import { type Freshness, freshness, shownDirection } from "@/lib/states";
import { feedAge } from "@/lib/feed-age";
import { testId } from "@/lib/testids";
import { limitWord, reasonWords } from "@/lib/words";

export function SpreadRow({ asset, scaleBps }: { readonly asset: string; readonly scaleBps: number }) {
  const view = useDesk(`spread:${asset}`);
  const status = useDesk("status");
  const now = useNow();
  if (view === undefined) return null;
  return <Row view={view} status={status} nowMs={now} scaleBps={scaleBps} />;
}

interface RowProps {
  readonly view: SpreadView;
  readonly status: Status | undefined;
  readonly nowMs: number;
  readonly scaleBps: number;
}

function Row({ view, status, nowMs, scaleBps }: RowProps) {
  const { row, decimals } = view;
  const age = feedAge(row, status, nowMs);
  const state = freshness("spreads", age);
  const stale = state === "stale" || state === "unknown";
  const value = stale ? "text-text-3" : "text-text-1";
  return (
    <div
      role="row"
      data-testid={testId.spreadRow(row.asset)}
      data-state={row.state}
      className={cn(
        "border-b border-line px-3.5 last:border-b-0 sm:min-h-[45px]",
        "sm:spread-grid max-sm:grid max-sm:grid-cols-[1fr_auto] max-sm:gap-x-3 max-sm:gap-y-1.5 max-sm:py-3",
      )}
    >
      <span
        role="cell"
        className={cn(
          "flex items-center gap-2 font-semibold max-sm:col-start-1 max-sm:row-start-1",
          value,
        )}
      >
        <span
          aria-hidden="true"
          className="grid size-[22px] shrink-0 place-items-center rounded-full bg-surface-3 text-[8px] font-medium text-text-2"
        >
          {row.asset.slice(0, 3)}
        </span>
        <span title={row.cex_symbol}>{row.asset}</span>
      </span>
      <span role="cell" className="text-text-2 max-sm:hidden">
        <Direction ends={stale ? null : shownDirection(row)} />
      </span>
      <span role="cell" className={cn("text-right max-lg:hidden", value)}>
        <Price value={row.cex_price} decimals={decimals} />
      </span>
      <span role="cell" className={cn("text-right max-lg:hidden", value)}>
        <Price value={row.dex_price} decimals={decimals} />
      </span>
      <EdgeCell row={row} stale={stale} scaleBps={scaleBps} />
      <SizeCell row={row} stale={stale} />
      <span role="cell" className="max-lg:hidden">
        <EdgeLine asset={row.asset} stale={stale} positive={(row.net_bps ?? 0) > 0} />
      </span>
      <AgeCell row={row} age={age} state={state} nowMs={nowMs} />
      <span role="cell" className="flex justify-end max-sm:col-start-2 max-sm:row-start-1">
        <SpreadChip
          state={row.state}
          stale={stale}
          testId={testId.spreadState(row.asset)}
          title={row.reason === "" ? undefined : reasonWords(row.reason)}
        />
      </span>
    </div>
  );
}

function EdgeCell({ row, stale, scaleBps }: {
  readonly row: Spread;
  readonly stale: boolean;
  readonly scaleBps: number;
}) {
  const { net_bps: net, gross_bps: gross, cost_bps: costs } = row;
  const known = !stale && net !== null;
  return (
    <span
      role="cell"
      className="flex min-w-0 items-center gap-2.5 max-sm:col-start-1 max-sm:row-start-2"
    >
      <span
        data-testid={testId.spreadNet(row.asset)}
        data-value={net ?? ""}
        className={cn(
          "w-[50px] shrink-0 text-right font-semibold",
          known ? (net > 0 ? "text-lime" : "text-text-2") : "text-text-3",
        )}
      >
        {known ? format.bps(net, true) : <Unknown why={stale ? "Data is stale" : reasonWords(row.reason)} />}
      </span>
      <EdgeBar
        grossBps={stale ? 0 : (gross ?? 0)}
        costBps={costs ?? 0}
        scaleBps={scaleBps}
        stale={stale}
      />
      <span className="text-caption whitespace-nowrap text-text-3">
        {stale || gross === null || costs === null
          ? ""
          : `${format.bps(gross)} / ${format.bps(costs)}`}
      </span>
    </span>
  );
}

const SIZE_PLACE = "max-sm:col-start-2 max-sm:row-start-2 max-sm:justify-self-end";

function SizeCell({ row, stale }: { readonly row: Spread; readonly stale: boolean }) {
  const stopped = row.state === "auto_paused" || row.state === "paused";
  if (stopped || (row.size_usd === null && row.reason !== "")) {
    return (
      <span
        role="cell"
        title={reasonWords(row.reason)}
        data-testid={testId.spreadLimit(row.asset)}
        className={cn("truncate text-caption", SIZE_PLACE, stopped ? "text-warn" : "text-text-3")}
      >
        {row.reason === "" ? "Stopped" : reasonWords(row.reason)}
      </span>
    );
  }
  // What blocks it says more than the cap that a trade would have met.
  const blocked = row.state === "blocked" && row.reason !== "";
  if (stale || row.size_usd === null) {
    return (
      <span role="cell" className={cn("text-text-3", SIZE_PLACE)}>
        <Unknown why={stale ? "Data is stale" : "No size pays its costs"} />
      </span>
    );
  }
  return (
    <span role="cell" className={cn("flex min-w-0 items-baseline gap-2", SIZE_PLACE)}>
      <Money
        value={row.size_usd}
        testId={testId.spreadSize(row.asset)}
        className="font-semibold text-text-1"
      />
      <span
        data-testid={testId.spreadLimit(row.asset)}
        data-value={row.limited_by}
        title={blocked ? reasonWords(row.reason) : undefined}
        className="truncate text-caption text-text-3"
      >
        {blocked ? reasonWords(row.reason) : limitWord(row.limited_by)}
      </span>
    </span>
  );
}

function EdgeLine({ asset, stale, positive }: {
  readonly asset: string;
  readonly stale: boolean;
  readonly positive: boolean;
}) {
  const points = useDesk(`spark:${asset}`) ?? [];
  return (
    <Spark
      points={points}
      span={SPARK_POINTS}
      threshold={0}
      minRange={6}
      width={64}
      height={22}
      label={`Net edge of ${asset} over the last 60 seconds, with break-even`}
      className={stale ? "text-line-control" : positive ? "text-lime" : "text-text-3"}
    />
  );
}

function AgeCell({ row, age, state, nowMs }: {
  readonly row: Spread;
  readonly age: number | null;
  readonly state: Freshness;
  readonly nowMs: number;
}) {
  const book = row.book_age_ms === null ? null : row.book_age_ms + Math.max(0, nowMs - row.at_ns / 1e6);
  return (
    <span
      role="cell"
      data-testid={testId.spreadAge(row.asset)}
      data-age-ms={age === null ? "" : Math.round(age)}
      data-state={state}
      title={
        `Feed proof ${format.age(age)}, book ${format.age(book)}` +
        (row.slot_lag === null ? "" : `, slot lag ${row.slot_lag}`)
      }
      className={cn(
        "flex items-center justify-end gap-1 whitespace-nowrap max-sm:col-start-1 max-sm:row-start-1 max-sm:justify-self-end",
        state === "stale" ? "font-semibold text-warn" : state === "ageing" ? "text-text-1" : "text-text-2",
      )}
    >
      {state === "stale" ? <Clock aria-hidden="true" size={12} strokeWidth={1.75} /> : null}
      {age === null ? <Unknown why="No data yet" /> : format.age(age)}
    </span>
  );
}
