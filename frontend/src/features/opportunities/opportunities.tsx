/** Windows and what was decided on each, newest first: the last ones at sign-in and all since. */
import { CardBoundary } from "@/components/error-boundary";
import { type Column, ListTable } from "@/components/list-table";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { Direction, Money, Pnl, UtcTime } from "@/components/values";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import type { Opportunity } from "@/lib/frames";
import { useAge, useDesk } from "@/lib/live";
import { directionEnds } from "@/lib/states";
import { testId } from "@/lib/testids";
import { causeWord, gateWord, limitWord } from "@/lib/words";

const DECISION: Record<Opportunity["decision"], string> = {
  taken: "Taken",
  stored: "Stored",
  refused: "Refused",
  watched: "Watched",
};

function OpenFor({ row }: { readonly row: Opportunity }) {
  const running = useAge(row.opened_at_ns / 1e6);
  const closed = row.closed_at_ns === null ? null : (row.closed_at_ns - row.opened_at_ns) / 1e6;
  return (
    <span className={row.closed_at_ns === null ? "text-text-1" : "text-text-2"}>
      {format.age(closed ?? running)}
    </span>
  );
}

function Gate({ row }: { readonly row: Opportunity }) {
  if (row.gate === "") return <span className="text-text-3">passed every gate</span>;
  const limit = row.gate_limit === "" ? "" : ` (limit ${row.gate_limit})`;
  return (
    <span className="text-text-2">
      {gateWord(row.gate)} {row.gate_value}
      {limit}
    </span>
  );
}

const COLUMNS: readonly Column<Opportunity>[] = [
  { head: "Opened, UTC", cell: (row) => <UtcTime atMs={row.opened_at_ns / 1e6} className="text-text-2" /> },
  { head: "Asset", cell: (row) => <span className="font-semibold">{row.asset}</span> },
  { head: "Buy / sell", cell: (row) => <Direction ends={directionEnds(row.direction)} className="text-text-2" /> },
  { head: "Gross, bps", right: true, cell: (row) => format.bps(row.gross_bps) },
  {
    head: "Net, bps",
    right: true,
    cell: (row) => (
      <span className={cn("font-semibold", row.net_bps > 0 ? "text-lime" : "text-text-2")}>
        {format.bps(row.net_bps, true)}
      </span>
    ),
  },
  { head: "Size", right: true, cell: (row) => <Money value={row.size_usd} /> },
  { head: "Limited by", cell: (row) => <span className="text-text-3">{limitWord(row.limited_by)}</span> },
  { head: "Predicted", right: true, cell: (row) => <Pnl value={row.expected_pnl_usd} stale /> },
  { head: "Open for", right: true, cell: (row) => <OpenFor row={row} /> },
  {
    head: "Decision",
    cell: (row) => (
      <span className={row.decision === "taken" ? "font-semibold" : "text-text-2"}>{DECISION[row.decision]}</span>
    ),
  },
  { head: "Gate", cell: (row) => <Gate row={row} /> },
  {
    head: "Closed by",
    cell: (row) => <span className="text-text-3">{row.close_cause === "" ? "still open" : causeWord(row.close_cause)}</span>,
  },
];

function Count({ rows }: { readonly rows: readonly Opportunity[] }) {
  const of = (decision: Opportunity["decision"]) => rows.filter((row) => row.decision === decision).length;
  return <>{`${rows.length} windows: ${of("taken")} taken, ${of("stored")} stored, ${of("refused")} refused`}</>;
}

export function Opportunities() {
  const rows = useDesk("opportunities");
  return (
    <div data-testid={testId.oppsScreen}>
      <h1 className="sr-only">Opportunities</h1>
      <CardBoundary name="Opportunities">
        <Card title="Opportunities" context={rows === undefined ? "" : <Count rows={rows} />}>
          {rows === undefined ? (
            <SkeletonRows rows={10} height={40} />
          ) : rows.length === 0 ? (
            <Empty>No windows yet. One opens when the gap between the venues exceeds its costs.</Empty>
          ) : (
            <ListTable
              label="Opportunities"
              columns={COLUMNS}
              rows={rows.slice(0, 200)}
              rowKey={(row) => row.window_id}
              rowTestId={(row) => testId.oppRow(row.window_id)}
              testId={testId.oppsTable}
            />
          )}
        </Card>
      </CardBoundary>
    </div>
  );
}
