/** Histogram of latencies: grey bins, the median's bin bright, amber only beyond the objective. */
import { useId, useState } from "react";

import * as format from "@/lib/format";
import type { Histogram } from "@/lib/frames";
import { type Bin, position, shownBins } from "@/lib/histogram";
import { testId } from "@/lib/testids";

import { Button } from "./ui/button";

const SLO_US = 200_000;
const W = 340;
const H = 308;
const TOP = 44;
const FLOOR = 272;
const PAD = 4;

const atX = (share: number) => PAD + share * (W - 2 * PAD);

function Mark({ x, label, dashed, row }: {
  readonly x: number;
  readonly label: string;
  readonly dashed: boolean;
  readonly row: number;
}) {
  const left = x > W * 0.6;
  return (
    <g>
      <line
        x1={x}
        x2={x}
        y1={14 + row * 15}
        y2={FLOOR}
        strokeDasharray={dashed ? "3 3" : undefined}
        className="stroke-text-1"
      />
      <text
        x={left ? x - 5 : x + 5}
        y={22 + row * 15}
        textAnchor={left ? "end" : "start"}
        className="fill-text-1 text-[11px] font-semibold"
      >
        {label}
      </text>
    </g>
  );
}

function Objective({ bins }: { readonly bins: readonly Bin[] }) {
  const share = position(bins, SLO_US);
  const x = share === null ? W - PAD : atX(share);
  return (
    <g>
      {share === null ? null : (
        <line x1={x} x2={x} y1={44} y2={FLOOR} strokeDasharray="6 3" className="stroke-warn" />
      )}
      <text
        x={share === null ? x : x - 5}
        y={share === null ? H - 4 : 52}
        textAnchor="end"
        className={share === null ? "fill-text-3 text-[11px]" : "fill-warn text-[11px]"}
      >
        {share === null ? "SLO 200 ms, all inside" : "SLO 200 ms"}
      </text>
    </g>
  );
}

function Ticks({ bins }: { readonly bins: readonly Bin[] }) {
  const every = Math.max(1, Math.ceil(bins.length / 4));
  return bins.map((bin, index) =>
    index % every !== 0 || index > bins.length - 2 ? null : (
      <text
        key={bin.lowUs}
        x={atX(index / bins.length)}
        y={FLOOR + 15}
        textAnchor={index === 0 ? "start" : "middle"}
        className="fill-text-3 text-[11px]"
      >
        {index === 0 && bin.lowUs === 0 ? "0" : format.latency(bin.lowUs / 1000)}
      </text>
    ),
  );
}

function Table({ bins }: { readonly bins: readonly Bin[] }) {
  return (
    <div className="max-h-[300px] overflow-auto px-3.5 pb-2">
      <table className="w-full text-caption">
        <caption className="sr-only">Signals by latency</caption>
        <thead className="text-text-3">
          <tr>
            <th scope="col" className="py-1 text-left font-normal">
              Up to
            </th>
            <th scope="col" className="py-1 text-right font-normal">
              Signals
            </th>
          </tr>
        </thead>
        <tbody>
          {bins.map((bin) => (
            <tr key={bin.lowUs} className="border-t border-line">
              <td className="py-1">
                {bin.highUs === null
                  ? `over ${format.latency(bin.lowUs / 1000)}`
                  : format.latency(bin.highUs / 1000)}
              </td>
              <td className="py-1 text-right">{bin.count.toLocaleString("en-US")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function LatencyHistogram({ histogram }: { readonly histogram: Histogram }) {
  const [table, setTable] = useState(false);
  const id = useId();
  const bins = shownBins(histogram);
  const top = Math.max(1, ...bins.map((bin) => bin.count));
  const p50 = histogram.p50_us;
  const p95 = histogram.p95_us;
  const summary =
    `${histogram.count.toLocaleString("en-US")} signals: half within ${format.latency(p50 === null ? null : p50 / 1000)}, ` +
    `95% within ${format.latency(p95 === null ? null : p95 / 1000)}; the objective is 200 ms.`;
  return (
    <div className="flex flex-1 flex-col pt-2">
      {table ? (
        <Table bins={bins} />
      ) : (
        <div className="flex flex-1 items-center px-3.5">
          <svg
            role="img"
            aria-labelledby={id}
            viewBox={`0 0 ${W} ${H}`}
            className="mx-auto h-auto max-h-[360px] w-full max-w-[480px]"
            data-testid={testId.latencyHistogram}
            data-value={histogram.count}
          >
            <title id={id}>{summary}</title>
            {[0, 0.5, 1].map((share) => (
              <line
                key={share}
                x1={0}
                x2={W}
                y1={FLOOR - share * (FLOOR - TOP)}
                y2={FLOOR - share * (FLOOR - TOP)}
                className="stroke-line"
              />
            ))}
            <Bars bins={bins} top={top} p50={p50} />
            <Ticks bins={bins} />
            {p50 === null ? null : (
              <Mark
                x={atX(position(bins, p50) ?? 0)}
                label={`p50 ${format.latency(p50 / 1000)}`}
                dashed={false}
                row={0}
              />
            )}
            {p95 === null ? null : (
              <Mark
                x={atX(position(bins, p95) ?? 1)}
                label={`p95 ${format.latency(p95 / 1000)}`}
                dashed
                row={1}
              />
            )}
            <Objective bins={bins} />
          </svg>
        </div>
      )}
      <div className="flex flex-wrap items-center gap-x-4 px-3.5 pb-1.5 text-caption text-text-3">
        <span className="whitespace-nowrap" data-testid={testId.latencyP50} data-value={p50 ?? ""}>
          p50 <span className="font-semibold text-text-1">{format.latency(p50 === null ? null : p50 / 1000)}</span>
        </span>
        <span className="whitespace-nowrap" data-testid={testId.latencyP95} data-value={p95 ?? ""}>
          p95 <span className="font-semibold text-text-1">{format.latency(p95 === null ? null : p95 / 1000)}</span>
        </span>
        <Button
          tone="quiet"
          className="ml-auto min-h-6 px-1.5 text-caption font-normal text-text-3"
          aria-pressed={table}
          onClick={() => setTable(!table)}
        >
          {table ? "Show as chart" : "Show as table"}
        </Button>
      </div>
    </div>
  );
}

function Bars({ bins, top, p50 }: {
  readonly bins: readonly Bin[];
  readonly top: number;
  readonly p50: number | null;
}) {
  const width = (W - 2 * PAD) / bins.length;
  return bins.map((bin, index) => {
    const height = bin.count === 0 ? 0 : Math.max(1.5, (bin.count / top) * (FLOOR - TOP));
    const beyond = bin.lowUs >= SLO_US;
    const median = p50 !== null && p50 > bin.lowUs && (bin.highUs === null || p50 <= bin.highUs);
    return (
      <rect
        key={bin.lowUs}
        x={PAD + index * width + 0.75}
        y={FLOOR - height}
        width={Math.max(1, width - 1.5)}
        height={height}
        rx={1}
        className={beyond ? "fill-warn" : median ? "fill-bin-median" : "fill-bin"}
      />
    );
  });
}
