/** What Jupiter answered last on each asset and side, beside the pool itself. */
import { Check, TriangleAlert } from "lucide-react";

import { type Column, ListTable } from "@/components/list-table";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { Chip } from "@/components/ui/chip";
import { Unknown } from "@/components/values";
import * as format from "@/lib/format";
import type { Route } from "@/lib/frames";
import { useAge, useDesk } from "@/lib/live";
import { testId } from "@/lib/testids";
import { routeWord } from "@/lib/words";

const NONE = "There was no quote to compare";

function QuoteAge({ row }: { readonly row: Route }) {
  const age = useAge(row.asked_at_ns / 1e6);
  return <span title={new Date(row.asked_at_ns / 1e6).toISOString()}>{age === null ? "" : `${format.age(age)} ago`}</span>;
}

const COLUMNS: readonly Column<Route>[] = [
  { head: "Asset", cell: (row) => <span className="font-semibold">{row.asset}</span> },
  { head: "Side", cell: (row) => <span className="text-text-2">{row.side}</span> },
  {
    head: "Answer",
    cell: (row) => (
      <Chip tone={row.outcome === "ok" ? "quiet" : "paused"} icon={row.outcome === "ok" ? Check : TriangleAlert}>
        {routeWord(row.outcome)}
      </Chip>
    ),
  },
  { head: "Asked", right: true, cell: (row) => <QuoteAge row={row} /> },
  {
    head: "Took",
    right: true,
    cell: (row) => (row.latency_ms === null ? <Unknown why={NONE} /> : format.latency(row.latency_ms)),
  },
  {
    head: "Longer than the pool",
    right: true,
    cell: (row) => (row.latency_delta_ms === null ? <Unknown why={NONE} /> : format.latency(row.latency_delta_ms)),
  },
  {
    head: "Better than the pool, bps",
    right: true,
    cell: (row) => (row.delta_bps === null ? <Unknown why={NONE} /> : format.bps(row.delta_bps, true)),
  },
  {
    head: "Slots behind",
    right: true,
    cell: (row) => (row.lag_slots === null ? <Unknown why={NONE} /> : row.lag_slots),
  },
  {
    head: "Route",
    cell: (row) => (
      <span title={row.route_id} className="font-mono text-micro text-text-2">
        {row.route_id === "" ? <Unknown why={NONE} /> : format.shortId(row.route_id)}
      </span>
    ),
  },
];

export function RouteTable() {
  const status = useDesk("status");
  return (
    <Card title="Jupiter" context="the fallback for quotes and routes, sampled beside the pool itself">
      {status === undefined ? (
        <SkeletonRows rows={2} height={40} />
      ) : status.routes.length === 0 ? (
        <Empty>
          Not asked yet. It is asked when a pool cannot be read, and beside it where sampling is set.
        </Empty>
      ) : (
        <ListTable
          label="Jupiter's last answers"
          columns={COLUMNS}
          rows={status.routes}
          rowKey={(row) => `${row.asset}-${row.side}`}
          rowTestId={(row) => testId.routeRow(row.asset, row.side)}
          testId="routes-table"
        />
      )}
    </Card>
  );
}
