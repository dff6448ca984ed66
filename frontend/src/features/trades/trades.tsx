/** Trades as the engine reports them, newest first: the last ones at sign-in and all since. */
import { Check, Clock3 } from "lucide-react";

import { CardBoundary } from "@/components/error-boundary";
import { type Column, ListTable } from "@/components/list-table";
import { Chip } from "@/components/ui/chip";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { Direction, Money, Pnl, Unknown, UtcTime } from "@/components/values";
import { outcomeOf } from "@/lib/execution";
import * as format from "@/lib/format";
import type { Trade } from "@/lib/frames";
import { useDesk } from "@/lib/live";
import { directionEnds } from "@/lib/states";
import { testId } from "@/lib/testids";

const COLUMNS: readonly Column<Trade>[] = [
  { head: "Detected, UTC", cell: (row) => <UtcTime atMs={row.detect_at_ns / 1e6} className="text-text-2" /> },
  { head: "Asset", cell: (row) => <span className="font-semibold">{row.asset}</span> },
  { head: "Buy / sell", cell: (row) => <Direction ends={directionEnds(row.direction)} className="text-text-2" /> },
  { head: "Size", right: true, cell: (row) => format.quantity(row.size_base) },
  { head: "Notional", right: true, cell: (row) => <Money value={row.notional_usd} decimals={2} /> },
  {
    head: "Both filled",
    right: true,
    cell: (row) =>
      row.both_filled_ms === null ? (
        <Unknown why="Not both legs are filled" />
      ) : (
        format.latency(row.both_filled_ms)
      ),
  },
  {
    head: "Predicted",
    right: true,
    cell: (row) => <Money value={row.expected_pnl_usd} decimals={2} className="text-text-2" />,
  },
  {
    head: "Realised",
    right: true,
    cell: (row) =>
      row.realised_pnl_usd === null ? (
        <Unknown why="Not booked yet" className="text-text-3" />
      ) : (
        <Pnl value={row.realised_pnl_usd} className="font-semibold" />
      ),
  },
  { head: "Order", cell: (row) => <span className="text-text-2">{row.policy.replaceAll("_", " ")}</span> },
  { head: "Outcome", cell: (row) => <Outcome trade={row} /> },
  {
    head: "Records",
    cell: (row) => (
      <Chip tone="quiet" icon={row.verified ? Check : Clock3}>
        {row.verified ? "Verified" : "Not verified"}
      </Chip>
    ),
  },
  {
    head: "Intent",
    cell: (row) => (
      <span title={row.intent_key} className="font-mono text-micro text-text-3">
        {format.shortId(row.intent_key)}
      </span>
    ),
  },
];

function Outcome({ trade }: { readonly trade: Trade }) {
  const { words, abnormal } = outcomeOf(trade);
  return (
    <span title={trade.reason === "" ? undefined : trade.reason} className={abnormal ? "text-warn" : "text-text-2"}>
      {words}
    </span>
  );
}

export function Trades() {
  const trades = useDesk("trades");
  return (
    <div data-testid={testId.tradesScreen}>
      <h1 className="sr-only">Trades</h1>
      <CardBoundary name="Trades">
        <Card title="Trades" context="the last 20 at sign-in and every one since">
          {trades === undefined ? (
            <SkeletonRows rows={10} height={40} />
          ) : trades.length === 0 ? (
            <Empty>No trades yet. They appear here when both legs of a window are sent.</Empty>
          ) : (
            <ListTable
              label="Trades"
              columns={COLUMNS}
              rows={trades.slice(0, 200)}
              rowKey={(row) => row.id}
              rowTestId={(row) => testId.tradeRow(row.id)}
              testId={testId.tradesTable}
            />
          )}
        </Card>
      </CardBoundary>
    </div>
  );
}
