/** Promises as a table: target, what was seen of how many, the interval, the verdict. */
import { Check, CircleHelp, TriangleAlert } from "lucide-react";

import { type Column, ListTable } from "@/components/list-table";
import { Chip } from "@/components/ui/chip";
import type { ServiceLevel } from "@/lib/api";

// A figure shown beside the promises.
const NO_TARGET = "–";

const COLUMNS: readonly Column<ServiceLevel>[] = [
  { head: "Promise", cell: (row) => <span className="inline-block font-semibold first-letter:uppercase">{row.name}</span> },
  { head: "Target", right: true, cell: (row) => <span className="text-text-2">{row.target}</span> },
  { head: "Seen", right: true, cell: (row) => row.seen },
  { head: "n", right: true, cell: (row) => <span className="text-text-2">{row.n.toLocaleString("en-US")}</span> },
  { head: "95% interval", right: true, cell: (row) => <span className="text-text-2">{row.interval}</span> },
  { head: "Verdict", cell: (row) => <Verdict level={row} /> },
];

/** Of a figure without a target there is nothing to judge. */
function Verdict({ level }: { readonly level: ServiceLevel }) {
  if (level.n === 0) {
    return <Chip tone="quiet" icon={CircleHelp}>No data</Chip>;
  }
  if (level.target === NO_TARGET) {
    return <span className="text-text-2">{NO_TARGET}</span>;
  }
  if (level.verdict === "fails") {
    return <Chip tone="paused" icon={TriangleAlert}>Fails</Chip>;
  }
  if (level.verdict === "holds") {
    return <Chip tone="quiet" icon={Check}>Holds</Chip>;
  }
  return <Chip tone="quiet" icon={CircleHelp}>Too few to say</Chip>;
}

interface Props {
  readonly label: string;
  readonly rows: readonly ServiceLevel[];
  readonly rowTestId: (row: ServiceLevel) => string;
  readonly testId: string;
}

export function LevelTable({ label, rows, rowTestId, testId }: Props) {
  return (
    <ListTable
      label={label}
      columns={COLUMNS}
      rows={rows}
      rowKey={(row) => row.name}
      rowTestId={rowTestId}
      testId={testId}
    />
  );
}
