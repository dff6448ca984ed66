/** Up to six lines over time on one axis; colour first, dashes from the fourth on. */
import { useId } from "react";

import { cn } from "@/lib/cn";
import { place, scaleOf, thinned, ticks } from "@/lib/plot";

import { ChartFrame } from "./chart-frame";
import { useWidth } from "./use-width";

export interface Line {
  readonly label: string;
  /** x ascending. */
  readonly points: readonly (readonly [number, number])[];
}

interface LineChartProps {
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  readonly lines: readonly Line[];
  readonly x: (value: number) => string;
  readonly y: (value: number) => string;
}

const START_W = 720;
const H = 240;
const LEFT = 64;
const FLOOR = 212;
const TOP = 8;
const MOST_POINTS = 600;
const MOST_LINES = 6;
const TABLE_POINTS = 24;

const STROKE = ["stroke-c1", "stroke-c2", "stroke-c3", "stroke-c4", "stroke-c5", "stroke-c6"];
const FILL = ["bg-c1", "bg-c2", "bg-c3", "bg-c4", "bg-c5", "bg-c6"];
const DASHES = ["", "", "", "6 3", "2 3", "8 3 2 3"];

export function LineChart({ name, title, summary, lines, x, y }: LineChartProps) {
  const id = useId();
  const [measure, W] = useWidth(START_W);
  const shown = lines.slice(0, MOST_LINES);
  const all = shown.flatMap((line) => line.points);
  const across = scaleOf(all.map(([at]) => at));
  const up = scaleOf(all.map(([, value]) => value), [0]);
  const atX = (value: number) => LEFT + place(across, value) * (W - LEFT - 8);
  const atY = (value: number) => FLOOR - place(up, value) * (FLOOR - TOP);
  const table = {
    head: ["Time", ...shown.map((line) => line.label)],
    rows: tableRows(shown, x, y),
  };
  return (
    <ChartFrame
      name={name}
      title={title}
      table={table}
      legend={shown.map((line, index) => (
        <span key={line.label} className="flex items-center gap-1.5">
          <span aria-hidden="true" className={cn("h-0.5 w-4", FILL[index])} />
          {line.label}
        </span>
      ))}
    >
      <div ref={measure}>
      <svg role="img" aria-labelledby={id} viewBox={`0 0 ${W} ${H}`} className="block h-auto w-full">
        <title id={id}>{summary}</title>
        {ticks(up, 4).map((value) => (
          <g key={value}>
            <line x1={LEFT} x2={W - 8} y1={atY(value)} y2={atY(value)} className={value === 0 ? "stroke-line-control" : "stroke-line"} />
            <text x={LEFT - 8} y={atY(value) + 4} textAnchor="end" className="fill-text-3 text-[11px]">
              {y(value)}
            </text>
          </g>
        ))}
        {[0, 0.5, 1].map((share) => (
          <text
            key={share}
            x={LEFT + share * (W - LEFT - 8)}
            y={FLOOR + 20}
            textAnchor={share === 0 ? "start" : share === 1 ? "end" : "middle"}
            className="fill-text-3 text-[11px]"
          >
            {all.length === 0 ? "" : x(across.low + share * (across.high - across.low))}
          </text>
        ))}
        {shown.map((line, index) => (
          <path
            key={line.label}
            d={pathOf(thinned(line.points, MOST_POINTS).map(([at, value]) => [atX(at), atY(value)]))}
            fill="none"
            strokeWidth={1.6}
            strokeLinejoin="round"
            strokeDasharray={DASHES[index]}
            className={STROKE[index]}
          />
        ))}
      </svg>
      </div>
    </ChartFrame>
  );
}

function pathOf(points: readonly (readonly number[])[]): string {
  return points.map(([x = 0, y = 0], index) => `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** Each line's last value at evenly spaced instants. */
function tableRows(
  lines: readonly Line[],
  x: (value: number) => string,
  y: (value: number) => string,
): string[][] {
  const instants = [...new Set(lines.flatMap((line) => line.points.map(([at]) => at)))].sort((a, b) => a - b);
  return thinned(instants, TABLE_POINTS).map((at) => [
    x(at),
    ...lines.map((line) => {
      const last = line.points.findLast(([when]) => when <= at);
      return last === undefined ? "—" : y(last[1]);
    }),
  ]);
}
