/** How the engine started, newest first: how long until it could decide, stage by stage. */
import { type Column, ListTable } from "@/components/list-table";
import { Card } from "@/components/ui/card";
import { Unknown, UtcTime } from "@/components/values";
import type { Health } from "@/lib/api";
import * as format from "@/lib/format";
import { testId } from "@/lib/testids";
import { spelled } from "@/lib/words";

type Start = Health["starts"][number];

export interface StageSpan {
  readonly name: string;
  readonly tookMs: number;
}

/** What each stage took beyond those that ended before it, in the order of their ends. */
export function stageSpans(stages: Readonly<Record<string, number>>): readonly StageSpan[] {
  const ended = Object.entries(stages).sort(([, a], [, b]) => a - b);
  return ended.map(([name, at], index) => ({ name, tookMs: at - (ended[index - 1]?.[1] ?? 0) }));
}

function Stages({ start }: { readonly start: Start }) {
  const spans = stageSpans(start.stages_ms);
  if (spans.length === 0) return <Unknown why="The stages of this start were not kept" />;
  const most = Math.max(...spans.map((span) => span.tookMs));
  return (
    <span className="block min-w-72 py-1.5 text-caption whitespace-normal text-text-2">
      {spans.map((span, index) => (
        <span key={span.name} className={span.tookMs === most ? "font-semibold text-text-1" : undefined}>
          {index === 0 ? "" : " · "}
          {spelled(span.name).toLowerCase()} {format.latency(span.tookMs)}
        </span>
      ))}
    </span>
  );
}

const COLUMNS: readonly Column<Start>[] = [
  { head: "Lease taken, UTC", cell: (row) => <UtcTime atMs={row.at_ns / 1e6} className="text-text-2" /> },
  { head: "Shard", cell: (row) => row.shard },
  { head: "Epoch", right: true, cell: (row) => row.epoch },
  {
    head: "Ready to decide after",
    right: true,
    cell: (row) =>
      row.reconciled_ms === null ? <Unknown why="It ended before it was ready" /> : format.age(row.reconciled_ms),
  },
  {
    head: "Open trades proven after",
    right: true,
    cell: (row) =>
      row.settled_ms === null ? <Unknown why="Not all of them are proven yet, or it ended before" /> : format.age(row.settled_ms),
  },
  { head: "Stages, the longest in bold", cell: (row) => <Stages start={row} /> },
];

export function Starts({ starts }: { readonly starts: readonly Start[] }) {
  return (
    <Card title="Starts of the engine" context="from the process, a standby's from the lease, newest first">
      <ListTable
        label="Starts of the engine"
        columns={COLUMNS}
        rows={starts}
        rowKey={(row) => `${row.shard}-${row.epoch}`}
        rowTestId={(row) => testId.startRow(row.epoch)}
        testId="starts-table"
      />
    </Card>
  );
}
