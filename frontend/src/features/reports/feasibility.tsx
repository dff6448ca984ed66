/** Does a pair clear its costs at a fee tier? The answer with its interval, or ABSTAIN. */
import { Check, CircleHelp, TriangleAlert } from "lucide-react";

import { ColumnChart } from "@/components/charts/column-chart";
import { ReadState } from "@/components/read-state";
import { Card, Empty } from "@/components/ui/card";
import { Chip } from "@/components/ui/chip";
import { Facts } from "@/components/ui/sheet";
import { UtcTime } from "@/components/values";
import type { Feasibility } from "@/lib/api";
import * as format from "@/lib/format";
import { useRead } from "@/lib/read";
import { testId } from "@/lib/testids";

const VERDICT = {
  clears: { tone: "notice", icon: Check, word: "CLEARS" },
  fails: { tone: "paused", icon: TriangleAlert, word: "FAILS" },
  abstain: { tone: "info", icon: CircleHelp, word: "ABSTAIN" },
} as const;

export function FeasibilityReports() {
  const read = useRead("/v1/feasibility", { limit: "50" });
  return (
    <div className="flex flex-col gap-3">
      {read.data === undefined || read.error !== null ? (
        <Card title="Feasibility">
          <ReadState read={read} />
        </Card>
      ) : null}
      {read.data?.rows.length === 0 ? (
        <Card title="Feasibility">
          <Empty>No reports yet. `manage.py feasibility` stores its answer here.</Empty>
        </Card>
      ) : null}
      {read.data?.rows.map((row) => <Answer key={row.id} report={row} />)}
    </div>
  );
}

function Answer({ report }: { readonly report: Feasibility }) {
  const found = report.results;
  const { tone, icon, word } = VERDICT[found.verdict];
  return (
    <Card
      title={`${report.asset} at ${report.taker_bps} bps`}
      testId={testId.feasibilityRow(report.id)}
      context={report.source}
      aside={<UtcTime atMs={report.created_at_ns / 1e6} />}
    >
      <div className="grid gap-4 p-3.5 lg:grid-cols-[minmax(0,1fr)_minmax(0,440px)]">
        <div>
          <p className="mb-3 flex flex-wrap items-center gap-3">
            <Chip tone={tone} icon={icon} data-state={found.verdict}>{word}</Chip>
            <span className="text-text-1">{found.why}</span>
          </p>
          <Facts
            rows={[
              ["Windows a day", perDay(found)],
              ["Largest taker fee that clears", bpsOr(found.largest_taker_bps, found.verdict === "abstain" ? "not told" : "none")],
              ["Break-even gap", `${format.bps(found.break_even_bps)} bps`],
              ["Gap asked for", `${format.bps(found.needed_bps)} bps`],
              ["Gap p50, p95, p99", [found.gap_p50_bps, found.gap_p95_bps, found.gap_p99_bps].map((gap) => format.bps(gap, true)).join(", ")],
              ["Largest gap", bpsOr(found.gap_largest_bps, format.UNKNOWN)],
              ["Looked for", `${found.hours.toFixed(1)} h, ${found.n.toLocaleString("en-US")} samples`],
              ["Independent of each other", found.n_effective.toFixed(0)],
            ]}
          />
        </div>
        <ColumnChart
          name={`gaps-${report.id}`}
          title="Gap after the pool's fee, bps"
          summary={`${found.n} samples; half of the gaps are below ${format.bps(found.gap_p50_bps, true)} bps, ${format.bps(found.needed_bps)} bps are needed.`}
          counted="Samples"
          every={Math.max(1, Math.ceil(found.histogram_counts.length / 6))}
          columns={found.histogram_counts.map((count, index) => ({ label: edge(found, index), count }))}
          mark={{
            before: found.histogram_edges_bps.filter((at) => at <= found.needed_bps).length,
            words: `needed ${format.bps(found.needed_bps)}`,
          }}
        />
      </div>
    </Card>
  );
}

function perDay(found: Feasibility["results"]): string {
  const { windows_per_day: middle, windows_per_day_low: low, windows_per_day_high: high } = found;
  if (middle === null) return "not told: too little data";
  if (low === null || high === null) return middle.toFixed(1);
  return `${middle.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
}

function bpsOr(value: number | null, word: string): string {
  return value === null ? word : `${format.bps(value)} bps`;
}

/** A whole number of bps with the minus of the other figures. */
const signed = (bps: number) => String(bps).replace("-", "−");

function edge(found: Feasibility["results"], index: number): string {
  const high = found.histogram_edges_bps[index];
  return high === undefined ? `≥ ${signed(found.histogram_edges_bps.at(-1) ?? 0)}` : `< ${signed(high)}`;
}
