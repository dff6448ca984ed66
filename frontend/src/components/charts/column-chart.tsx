/** Columns of counts, grey, with the part that matters bright; an optional mark on the axis. */
import { useId } from "react";

import { place, scaleOf, ticks } from "@/lib/plot";

import { ChartFrame } from "./chart-frame";
import { useWidth } from "./use-width";

export interface Column {
  readonly label: string;
  readonly count: number;
  /** How many of `count` are of the named part. */
  readonly part?: number;
}

interface ColumnChartProps {
  readonly name: string;
  readonly title: string;
  readonly context?: string;
  readonly summary: string;
  readonly columns: readonly Column[];
  /** What a column counts, and what its bright part is. */
  readonly counted: string;
  readonly part?: string;
  /** Write every so manieth label on the axis. */
  readonly every: number;
  /** A dashed line before the column of this index, and its word. */
  readonly mark?: { readonly before: number; readonly words: string };
}

const START_W = 440;
const H = 220;
const LEFT = 36;
const FLOOR = 192;
const TOP = 22;

export function ColumnChart(props: ColumnChartProps) {
  const { columns, every, mark, counted, part } = props;
  const id = useId();
  const [measure, W] = useWidth(START_W);
  const up = scaleOf(columns.map((column) => column.count), [0, 4]);
  const step = (W - LEFT - 4) / Math.max(1, columns.length);
  const atX = (index: number) => LEFT + index * step;
  const height = (count: number) => place(up, count) * (FLOOR - TOP);
  const table = {
    head: ["", counted, ...(part === undefined ? [] : [part])],
    rows: columns.map((column) => [
      column.label,
      String(column.count),
      ...(part === undefined ? [] : [String(column.part ?? 0)]),
    ]),
  };
  return (
    <ChartFrame
      name={props.name}
      title={props.title}
      table={table}
      {...(props.context === undefined ? {} : { context: props.context })}
      {...(part === undefined ? {} : { legend: <Legend counted={counted} part={part} /> })}
    >
      <div ref={measure}>
      <svg role="img" aria-labelledby={id} viewBox={`0 0 ${W} ${H}`} className="block h-auto w-full">
        <title id={id}>{props.summary}</title>
        {ticks(up, 4).filter(Number.isInteger).map((value) => (
          <g key={value}>
            <line x1={LEFT} x2={W - 4} y1={FLOOR - height(value)} y2={FLOOR - height(value)} className="stroke-line" />
            <text x={LEFT - 6} y={FLOOR - height(value) + 4} textAnchor="end" className="fill-text-3 text-[11px]">
              {value.toLocaleString("en-US")}
            </text>
          </g>
        ))}
        {columns.map((column, index) => (
          <g key={column.label}>
            <rect x={atX(index) + 1} y={FLOOR - height(column.count)} width={Math.max(1, step - 2)} height={height(column.count)} rx={1} className="fill-bin" />
            {column.part === undefined ? null : (
              <rect x={atX(index) + 1} y={FLOOR - height(column.part)} width={Math.max(1, step - 2)} height={height(column.part)} rx={1} className="fill-bin-median" />
            )}
            {index % every === 0 ? (
              <text x={atX(index) + step / 2} y={FLOOR + 16} textAnchor="middle" className="fill-text-3 text-[11px]">
                {column.label}
              </text>
            ) : null}
          </g>
        ))}
        {mark === undefined ? null : (
          <g>
            <line x1={atX(mark.before)} x2={atX(mark.before)} y1={TOP - 6} y2={FLOOR} strokeDasharray="3 3" className="stroke-text-1" />
            <text x={atX(mark.before) + 5} y={TOP - 8} className="fill-text-1 text-[11px] font-semibold">
              {mark.words}
            </text>
          </g>
        )}
      </svg>
      </div>
    </ChartFrame>
  );
}

function Legend({ counted, part }: { readonly counted: string; readonly part: string }) {
  return (
    <>
      <span className="flex items-center gap-1.5">
        <span aria-hidden="true" className="size-2.5 rounded-bar bg-bin" />
        {counted}
      </span>
      <span className="flex items-center gap-1.5">
        <span aria-hidden="true" className="size-2.5 rounded-bar bg-bin-median" />
        {part}
      </span>
    </>
  );
}
