/** A few signed columns around a zero line, each with its figure written on it. */
import { useId } from "react";

import { place, scaleOf } from "@/lib/plot";

import { ChartFrame } from "./chart-frame";
import { useWidth } from "./use-width";

export interface SignedColumn {
  readonly label: string;
  /** Null where nothing was measured. */
  readonly value: number | null;
  /** Under the label. */
  readonly note: string;
  /** In the table, where there is room. */
  readonly more: string;
}

const START_W = 440;
const H = 170;
const TOP = 22;
const FLOOR = 112;

export function SignedColumns({ name, title, context, summary, columns, head, say }: {
  readonly name: string;
  readonly title: string;
  readonly context: string;
  readonly summary: string;
  readonly columns: readonly SignedColumn[];
  /** Column heads of the table: what a column is, its value, its note. */
  readonly head: readonly [string, string, string];
  readonly say: (value: number | null) => string;
}) {
  const id = useId();
  const [measure, W] = useWidth(START_W);
  const up = scaleOf(columns.map(({ value }) => value ?? 0), [0]);
  const step = (W - 8) / Math.max(1, columns.length);
  const wide = Math.min(56, step * 0.4);
  const atY = (value: number) => FLOOR - place(up, value) * (FLOOR - TOP);
  return (
    <ChartFrame
      name={name}
      title={title}
      context={context}
      table={{ head, rows: columns.map(({ label, value, more }) => [label, say(value), more]) }}
    >
      <div ref={measure}>
        <svg role="img" aria-labelledby={id} viewBox={`0 0 ${W} ${H}`} className="block h-auto w-full">
          <title id={id}>{summary}</title>
          <line x1={4} x2={W - 4} y1={atY(0)} y2={atY(0)} className="stroke-line-control" />
          {columns.map(({ label, value, note }, index) => {
            const middle = 4 + (index + 0.5) * step;
            const y = atY(value ?? 0);
            const zero = atY(0);
            return (
              <g key={label}>
                <rect
                  x={middle - wide / 2}
                  y={Math.min(y, zero)}
                  width={wide}
                  height={Math.max(value === null ? 0 : 1, Math.abs(y - zero))}
                  rx={1}
                  className="fill-bin"
                />
                <text
                  x={middle}
                  y={(value ?? 0) < 0 ? y + 14 : y - 6}
                  textAnchor="middle"
                  className="fill-text-1 text-[12px] font-semibold"
                >
                  {say(value)}
                </text>
                <text x={middle} y={H - 20} textAnchor="middle" className="fill-text-2 text-[11px]">
                  {label}
                </text>
                <text x={middle} y={H - 6} textAnchor="middle" className="fill-text-3 text-[11px]">
                  {note}
                </text>
              </g>
            );
          })}
        </svg>
      </div>
    </ChartFrame>
  );
}
