/** The promises: target, what was seen of how many, and whether each holds. */
import { ReadState } from "@/components/read-state";
import { Card } from "@/components/ui/card";
import { useRead } from "@/lib/read";
import { worstFirst } from "@/lib/study";
import { testId } from "@/lib/testids";

import { LevelTable } from "./level-table";

const EVERY_MS = 10_000;

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
        <LevelTable
          label="Service levels"
          rows={worstFirst(rows)}
          rowTestId={(row) => testId.levelRow(row.name)}
          testId="levels-table"
        />
      )}
    </Card>
  );
}
