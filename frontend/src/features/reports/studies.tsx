/** Stored back-tests and ablations, newest first. */
import { useNavigate } from "react-router";

import { type Column, ListTable } from "@/components/list-table";
import { ReadState } from "@/components/read-state";
import { Card, Empty } from "@/components/ui/card";
import { UtcTime } from "@/components/values";
import type { StudyHead } from "@/lib/api";
import * as format from "@/lib/format";
import { useRead } from "@/lib/read";
import { testId } from "@/lib/testids";

const COLUMNS: readonly Column<StudyHead>[] = [
  { head: "Stored, UTC", cell: (row) => <UtcTime atMs={row.created_at_ns / 1e6} className="text-text-2" /> },
  { head: "Kind", cell: (row) => <span className="font-semibold">{row.kind === "ablation" ? "Ablation" : "Back-test"}</span> },
  { head: "Source", cell: (row) => <span title={row.source}>{row.source}</span> },
  { head: "Market time", right: true, cell: (row) => (row.to_ns > row.from_ns ? format.age((row.to_ns - row.from_ns) / 1e6) : format.UNKNOWN) },
  { head: "Parameter sets", cell: (row) => <span className="text-text-2">{row.columns.join(" · ") || "by policy"}</span> },
  { head: "Seed", right: true, cell: (row) => row.seed },
  { head: "Took", right: true, cell: (row) => format.age(row.took_s * 1000) },
  {
    head: "Source hash",
    cell: (row) => (
      <span title={row.source_hash} className="font-mono text-micro text-text-3">
        {row.source_hash === "" ? format.UNKNOWN : format.shortId(row.source_hash)}
      </span>
    ),
  },
];

export function Studies() {
  const read = useRead("/v1/backtests", { limit: "100" });
  const navigate = useNavigate();
  return (
    <Card title="Back-tests and ablations" context="the last 100; a study is written once and never changed">
      <ReadState read={read} />
      {read.data === undefined ? null : read.data.rows.length === 0 ? (
        <Empty>No studies yet. `manage.py backtest` and `manage.py ablate` store what they find here.</Empty>
      ) : (
        <ListTable
          label="Studies"
          columns={COLUMNS}
          rows={read.data.rows}
          rowKey={(row) => row.id}
          rowTestId={(row) => testId.studyRow(row.id)}
          testId="studies-table"
          onOpen={(row) => void navigate(`/reports/studies/${row.id}`)}
        />
      )}
    </Card>
  );
}
