/** Why windows were not taken, and the windows themselves, the last of a set. */
import { type Column, ListTable } from "@/components/list-table";
import { Card, Empty } from "@/components/ui/card";
import { Direction, Money, Pnl, UtcTime } from "@/components/values";
import type { Figures } from "@/lib/api";
import * as format from "@/lib/format";
import { directionEnds } from "@/lib/states";
import { countedRows } from "@/lib/study";
import { gateWord, limitWord, spelled } from "@/lib/words";

type Window = Figures["window_table"][number];
const SHOWN = 100;

const COLUMNS: readonly Column<Window>[] = [
  { head: "Opened, UTC", cell: (row) => <UtcTime atMs={row.opened_at_ns / 1e6} className="text-text-2" /> },
  { head: "Asset", cell: (row) => <span className="font-semibold">{row.asset}</span> },
  { head: "Buy / sell", cell: (row) => <Direction ends={directionEnds(row.direction)} className="text-text-2" /> },
  { head: "Open for", right: true, cell: (row) => format.age(row.life_ms) },
  { head: "Net, bps", right: true, cell: (row) => format.bps(row.net_bps, true) },
  { head: "Best size", right: true, cell: (row) => <Money value={row.best_size_usd} /> },
  { head: "Oracle", right: true, cell: (row) => <Money value={row.oracle_usd} decimals={2} /> },
  {
    head: "Realised",
    right: true,
    cell: (row) => (row.outcome === "" ? <span className="text-text-3">none</span> : <Pnl value={row.realised_usd} />),
  },
  {
    head: "What became of it",
    cell: (row) => (
      <span className="text-text-2">
        {row.outcome !== "" ? spelled(row.outcome) : row.is_eligible ? "Not taken" : gateWord(row.blocked_by)}
      </span>
    ),
  },
];

export function StudyWindows({ columns }: { readonly columns: readonly Figures[] }) {
  const first = columns[0];
  if (first === undefined) return null;
  const shown = first.window_table.slice(-SHOWN).reverse();
  return (
    <>
      <div className="grid gap-3 lg:grid-cols-3">
        <Counted title="Refused by" counts={first.refused_by} word={gateWord} empty="Nothing was refused." />
        <Counted title="Not eligible because" counts={first.blocked_by} word={gateWord} empty="Every window was eligible." />
        <Counted title="Size limited by" counts={first.limited_by} word={limitWord} empty="Nothing was sized." />
      </div>
      <Card title="Windows" context={`the last ${shown.length} of ${first.windows}, ${first.label}`}>
        {shown.length === 0 ? (
          <Empty>No windows. The gap never exceeded its costs.</Empty>
        ) : (
          <ListTable
            label="Windows of the study"
            columns={COLUMNS}
            rows={shown}
            rowKey={(row) => row.window_id}
            rowTestId={(row) => `study-window-${row.window_id}`}
            testId="study-windows-table"
          />
        )}
      </Card>
    </>
  );
}

function Counted({ title, counts, word, empty }: {
  readonly title: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly word: (name: string) => string;
  readonly empty: string;
}) {
  const rows = countedRows(counts);
  return (
    <Card title={title}>
      {rows.length === 0 ? (
        <Empty>{empty}</Empty>
      ) : (
        <dl className="px-3.5 py-2">
          {rows.map(([name, count]) => (
            <div key={name} className="flex justify-between gap-4 border-b border-line py-1.5 last:border-b-0">
              <dt className="text-text-2">{word(name)}</dt>
              <dd>{count.toLocaleString("en-US")}</dd>
            </div>
          ))}
        </dl>
      )}
    </Card>
  );
}
