/** A line of recent values as one SVG path, with an optional threshold. No text of its own. */
import { memo } from "react";

import { cn } from "@/lib/cn";

interface SparkProps {
  readonly points: readonly (number | null)[];
  /** Points a full line has; a younger line starts further right. */
  readonly span: number;
  readonly threshold?: number;
  /** The least span of values the height stands for, so that noise does not look like news. */
  readonly minRange?: number;
  readonly width: number;
  readonly height: number;
  readonly label: string;
  readonly className?: string;
  readonly area?: boolean;
}

const PAD = 2;
/** Fewer points than this draw a stub that says nothing. */
const MIN_POINTS = 4;

/** A threshold far from the line would flatten it: then the line is drawn alone. */
function nearThreshold(known: readonly number[], threshold: number | undefined): number | undefined {
  if (threshold === undefined) return undefined;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const reach = 1.5 * Math.max(high - low, Math.abs(high) * 0.05);
  return threshold >= low - reach && threshold <= high + reach ? threshold : undefined;
}

function Line(props: SparkProps) {
  const { points, span, threshold, width, height, label, className, area, minRange = 0 } = props;
  const known = points.filter((point) => point !== null);
  const drawn = known.length >= MIN_POINTS;
  const mark = drawn ? nearThreshold(known, threshold) : undefined;
  const least = Math.min(...known, mark ?? Infinity);
  const most = Math.max(...known, mark ?? -Infinity);
  const range = Math.max(most - least, minRange) || 1;
  const low = (least + most - range) / 2;
  const x = (index: number) => ((span - points.length + index) / Math.max(1, span - 1)) * width;
  const y = (value: number) => height - PAD - ((value - low) / range) * (height - 2 * PAD);
  let pen = false;
  let path = "";
  points.forEach((point, index) => {
    if (point === null) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${x(index).toFixed(1)} ${y(point).toFixed(1)}`;
    pen = true;
  });
  const first = x(points.findIndex((point) => point !== null)).toFixed(1);
  return (
    <svg
      role="img"
      aria-label={label}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      className={cn("shrink-0 overflow-visible", className)}
    >
      {area === true && drawn && !points.includes(null) ? (
        <path
          d={`${path}L${width} ${height}L${first} ${height}Z`}
          fill="currentColor"
          className="opacity-15"
        />
      ) : null}
      {mark === undefined ? null : (
        <line
          x1={0}
          x2={width}
          y1={y(mark)}
          y2={y(mark)}
          strokeDasharray="2 3"
          className="stroke-line-control"
        />
      )}
      {!drawn ? null : (
        <path d={path} fill="none" stroke="currentColor" strokeWidth={1.4} strokeLinejoin="round" />
      )}
    </svg>
  );
}

export const Spark = memo(Line);
