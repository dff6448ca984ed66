/** The last five trades, both legs of each on one time axis. */
import { Link } from "react-router";

import { TwoLegBar } from "@/components/two-leg-bar";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { Pnl, Unknown, UtcTime } from "@/components/values";
import { cn } from "@/lib/cn";
import { legBars, outcomeOf } from "@/lib/execution";
import * as format from "@/lib/format";
import type { Trade } from "@/lib/frames";
import { useDesk } from "@/lib/live";
import { testId } from "@/lib/testids";

const SHOWN = 5;
const AXIS_MS = 1800;

export function RecentExecutions() {
  const trades = useDesk("trades");
  const shown = (trades ?? []).slice(0, SHOWN);
  const slowest = Math.max(AXIS_MS, ...shown.map((trade) => (trade.both_filled_ms ?? 0) * 1.05));
  return (
    <Card
      title="Recent executions"
      testId={testId.recentExecutions}
      aside={
        <>
          <span className="flex items-center gap-1.5">
            <span aria-hidden="true" className="h-2 w-2.5 rounded-bar bg-kraken" />
            Kraken<span className="max-xl:hidden"> leg</span>
          </span>
          <span className="flex items-center gap-1.5">
            <span aria-hidden="true" className="h-2 w-2.5 rounded-bar bg-solana" />
            Solana<span className="max-xl:hidden"> leg</span>
          </span>
          <span className="max-sm:hidden">SLO 0.7 / 1.5 s</span>
        </>
      }
    >
      {trades === undefined ? (
        <SkeletonRows rows={SHOWN} height={51} />
      ) : shown.length === 0 ? (
        <Empty>No executions yet. Trades appear when a window is taken.</Empty>
      ) : (
        <ul>
          {shown.map((trade) => (
            <Execution key={trade.id} trade={trade} axisMs={Math.min(slowest, 6000)} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Execution({ trade, axisMs }: { readonly trade: Trade; readonly axisMs: number }) {
  const bars = legBars(trade);
  const { words, abnormal } = outcomeOf(trade);
  const against =
    trade.realised_pnl_usd === null
      ? null
      : format.deviationPercent(trade.realised_pnl_usd, trade.expected_pnl_usd);
  return (
    <li className="border-b border-line last:border-b-0">
      <Link
        to={`/trades?sel=${trade.id}`}
        data-testid={testId.execution(trade.id)}
        data-state={trade.outcome}
        className="grid min-h-[51px] grid-cols-[96px_minmax(64px,1fr)_96px_96px] items-center gap-3 px-3.5 py-1.5 outline-offset-[-2px] transition-colors duration-[120ms] hover:bg-surface-2 max-sm:grid-cols-[88px_minmax(40px,1fr)_76px_76px] max-sm:gap-2"
      >
        <span className="flex flex-col">
          <span className="font-semibold">{trade.asset}</span>
          <UtcTime atMs={trade.detect_at_ns / 1e6} className="truncate text-text-3" />
        </span>
        <TwoLegBar
          bars={bars}
          axisMs={axisMs}
          label={bars.map((bar) => bar.words).join("; ") || "Nothing sent yet"}
        />
        <span className="flex flex-col text-right">
          <span className="font-semibold">
            {trade.both_filled_ms === null ? (
              <Unknown why="Not both legs are filled" />
            ) : (
              format.latency(trade.both_filled_ms)
            )}
          </span>
          <span className={cn("text-caption", abnormal ? "text-warn" : "text-text-3")}>{words}</span>
        </span>
        <span className="flex flex-col text-right">
          {trade.realised_pnl_usd === null ? (
            <Unknown why="Not booked yet" className="text-text-3" />
          ) : (
            <Pnl value={trade.realised_pnl_usd} className="font-semibold" />
          )}
          <span className="text-caption whitespace-nowrap text-text-3">
            {against === null ? null : (
              <>
                <span className="max-sm:sr-only">vs pred </span>
                {format.signedPercent(against)}
              </>
            )}
          </span>
        </span>
      </Link>
    </li>
  );
}
