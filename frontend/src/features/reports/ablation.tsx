/** What each part of the policy is worth: every policy against the full system, and the grid. */
import { Check, TriangleAlert } from "lucide-react";

import { type Column, ListTable } from "@/components/list-table";
import { Card, Empty } from "@/components/ui/card";
import { Chip } from "@/components/ui/chip";
import { Pnl } from "@/components/values";
import type { Ablation } from "@/lib/api";
import * as format from "@/lib/format";
import { dollarsWords, estimateWords, ratioWords, shareWords } from "@/lib/study";

import { LevelTable } from "./level-table";

type Row = Ablation["rows"][number];
type Cell = Ablation["grid"][number];

const POLICIES: readonly Column<Row>[] = [
  { head: "Scenario", cell: (row) => row.scenario },
  { head: "Policy", cell: (row) => <span className="font-semibold">{row.policy}</span> },
  { head: "P&L an hour", right: true, cell: (row) => <Pnl value={(row.pnl_per_hour.value ?? 0).toFixed(2)} /> },
  { head: "Of the full system", right: true, cell: (row) => estimateWords(row.of_full) },
  { head: "Capture", right: true, cell: (row) => shareWords(row.capture) },
  { head: "Value", right: true, cell: (row) => estimateWords(row.value_capture) },
  { head: "Partial or hedged", right: true, cell: (row) => shareWords(row.partials) },
  { head: "Worst 1%, mean", right: true, cell: (row) => dollarsWords(row.tail1_usd) },
  { head: "Naked USD·s an hour", right: true, cell: (row) => (row.naked_usd_s_per_hour.value ?? 0).toFixed(0) },
  { head: "Trades", right: true, cell: (row) => row.trades },
];

const GRID: readonly Column<Cell>[] = [
  { head: "Competitors", right: true, cell: (cell) => `× ${cell.strength}` },
  { head: "Chance to land", right: true, cell: (cell) => format.percent(cell.land_p) },
  { head: "Taker fee, bps", right: true, cell: (cell) => cell.fee_bps },
  { head: "Trades", right: true, cell: (cell) => cell.trades },
  { head: "P&L", right: true, cell: (cell) => <Pnl value={cell.pnl_usd} /> },
  { head: "Capture", right: true, cell: (cell) => shareWords(cell.capture) },
  { head: "Partial or hedged", right: true, cell: (cell) => shareWords(cell.partials) },
  { head: "Median error", right: true, cell: (cell) => ratioWords(cell.median_error) },
  { head: "Bias", right: true, cell: (cell) => ratioWords(cell.bias) },
  { head: "WAPE", right: true, cell: (cell) => ratioWords(cell.wape) },
  { head: "Both filled p50, p95", right: true, cell: (cell) => `${format.latency(cell.fills_p50_ms)}, ${format.latency(cell.fills_p95_ms)}` },
  {
    head: "Promises that fail here",
    cell: (cell) =>
      cell.fails.length === 0 ? (
        <Chip tone="quiet" icon={Check}>None</Chip>
      ) : (
        <Chip tone="paused" icon={TriangleAlert}>{cell.fails.join(", ")}</Chip>
      ),
  },
];

export function AblationTables({ ablation }: { readonly ablation: Ablation }) {
  return (
    <>
      <Card title="Every policy against the full system" context="paired on the same seeded markets; 95% intervals">
        <ListTable
          label="Policies"
          columns={POLICIES}
          rows={ablation.rows}
          rowKey={(row) => `${row.scenario} ${row.policy}`}
          rowTestId={(row) => `ablation-row-${row.scenario}-${row.policy}`}
          testId="ablation-table"
        />
      </Card>
      {ablation.promises.map(({ scenario, levels }) => (
        <Card key={scenario} title={`The promises on ${scenario}`} context="kept by the full system, fills of a model; 95% intervals">
          <LevelTable
            label={`Promises on ${scenario}`}
            rows={levels}
            rowTestId={(row) => `ablation-level-${scenario}-${row.name}`}
            testId={`ablation-levels-${scenario}`}
          />
        </Card>
      ))}
      <Card title="Where each promise fails" context="competitors, chance of landing, fee tier">
        {ablation.grid.length === 0 ? (
          <Empty>The grid was not part of this study.</Empty>
        ) : (
          <ListTable
            label="Grid"
            columns={GRID}
            rows={ablation.grid}
            rowKey={(cell) => `${cell.strength} ${cell.land_p} ${cell.fee_bps}`}
            rowTestId={(cell) => `grid-${cell.strength}-${cell.land_p}-${cell.fee_bps}`}
            testId="grid-table"
          />
        )}
      </Card>
    </>
  );
}
