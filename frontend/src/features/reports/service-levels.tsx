/** The promises: target, what was seen of how many, and whether each holds. */
import { Check, CircleHelp, TriangleAlert } from "lucide-react";

import { type Column, ListTable } from "@/components/list-table";
import { ReadState } from "@/components/read-state";
import { Card } from "@/components/ui/card";
import { Chip } from "@/components/ui/chip";
import type { ServiceLevel } from "@/lib/api";
import { useRead } from "@/lib/read";
import { worstFirst } from "@/lib/study";
import { testId } from "@/lib/testids";

const EVERY_MS = 10_000;

const COLUMNS: readonly Column<ServiceLevel>[] = [
  { head: "Promise", cell: (row) => <span className="inline-block font-semibold first-letter:uppercase">{row.name}</span> },
  { head: "Target", right: true, cell: (row) => <span className="text-text-2">{row.target}</span> },
  { head: "Seen", right: true, cell: (row) => row.seen },
  { head: "n", right: true, cell: (row) => <span className="text-text-2">{row.n.toLocaleString("en-US")}</span> },
  { head: "95% interval", right: true, cell: (row) => <span className="text-text-2">{row.interval}</span> },
  { head: "Verdict", cell: (row) => <Verdict level={row} /> },
];

function Verdict({ level }: { readonly level: ServiceLevel }) {
  if (level.verdict === "fails") {
    return <Chip tone="paused" icon={TriangleAlert}>Fails</Chip>;
  }
  if (level.verdict === "holds") {
    return <Chip tone="quiet" icon={Check}>Holds</Chip>;
  }
  return <Chip tone="quiet" icon={CircleHelp}>{level.n === 0 ? "No data" : "Too few to say"}</Chip>;
}

export function ServiceLevels() {
  const read = useRead("/v1/service-levels", {}, { everyMs: EVERY_MS });
  const rows = read.data?.rows ?? [];
  const failing = rows.filter((row) => row.verdict === "fails").length;
  return (
    <Card
      title="Service levels"
      context={
        read.data === undefined
          ? ""
          : `${failing === 0 ? "none fails" : `${failing} of ${rows.length} fail`}; over all booked trades and the running engine`
      }
    >
      <ReadState read={read} rows={12} />
      {read.data === undefined ? null : (
        <ListTable
          label="Service levels"
          columns={COLUMNS}
          rows={worstFirst(rows)}
          rowKey={(row) => row.name}
          rowTestId={(row) => testId.levelRow(row.name)}
          testId="levels-table"
        />
      )}
    </Card>
  );
}
