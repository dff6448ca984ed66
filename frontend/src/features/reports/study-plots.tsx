/** The plots of a back-test: equity of every set, then windows and errors of the chosen set. */
import { useState } from "react";

import { ColumnChart } from "@/components/charts/column-chart";
import { LineChart } from "@/components/charts/line-chart";
import type { Figures } from "@/lib/api";
import * as format from "@/lib/format";

export function StudyPlots({ columns }: { readonly columns: readonly Figures[] }) {
  const [chosen, setChosen] = useState(0);
  const figures = columns[chosen] ?? columns[0];
  if (figures === undefined) return null;
  return (
    <div className="flex flex-col gap-3">
      <Equity columns={columns} />
      {columns.length > 1 ? (
        <label className="flex items-center gap-2.5 text-text-2">
          Plots of
          <select
            value={chosen}
            onChange={(event) => setChosen(Number(event.target.value))}
            className="h-8 rounded-control border border-line-control bg-canvas px-2 text-text-1 max-sm:h-11"
          >
            {columns.map((column, index) => (
              <option key={column.label} value={index}>
                {column.label}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <div className="grid gap-3 lg:grid-cols-2">
        <WindowsByHour figures={figures} />
        <Errors figures={figures} />
      </div>
    </div>
  );
}

function Equity({ columns }: { readonly columns: readonly Figures[] }) {
  const ends = columns
    .map((column) => `${column.label} ends at ${format.pnl(column.pnl_usd)} after ${column.attempts} attempts`)
    .join("; ");
  return (
    <LineChart
      name="equity"
      title="Net P&L over market time, USD"
      summary={`${ends}.`}
      lines={columns.map((column) => ({ label: column.label, points: column.series.equity }))}
      x={(atMs) => format.utcTime(atMs)}
      y={(usd) => format.usd(usd.toFixed(2))}
    />
  );
}

function WindowsByHour({ figures }: { readonly figures: Figures }) {
  const { windows_by_hour: seen, captured_by_hour: captured } = figures.series;
  return (
    <ColumnChart
      name="windows-by-hour"
      title="Eligible windows by hour of day, UTC"
      context={figures.label}
      summary={`${figures.eligible} eligible windows, ${figures.capture_count.hits} captured.`}
      counted="Eligible windows"
      part="Captured"
      every={4}
      columns={seen.map((count, hour) => ({
        label: `${String(hour).padStart(2, "0")} h`,
        count,
        part: captured[hour] ?? 0,
      }))}
    />
  );
}

function Errors({ figures }: { readonly figures: Figures }) {
  const { error_bins_bps: edges, error_counts: counts } = figures.series;
  const label = (index: number) => {
    const high = edges[index];
    return high === undefined ? `≥ ${edges.at(-1) ?? 0}` : `< ${String(high).replace("-", "−")}`;
  };
  const { bps_p5: low, bps_p50: middle, bps_p95: high } = figures.errors;
  return (
    <ColumnChart
      name="errors"
      title="Error of the prediction, bps of notional"
      context={figures.label}
      summary={
        `${figures.errors.n} attempts: half below ${format.bps(middle, true)} bps, ` +
        `nine of ten between ${format.bps(low, true)} and ${format.bps(high, true)} bps.`
      }
      counted="Attempts"
      every={5}
      mark={{ before: edges.indexOf(0) + 1, words: "as predicted or better" }}
      columns={counts.map((count, index) => ({ label: label(index), count }))}
    />
  );
}
