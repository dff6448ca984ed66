/** A line of recent values as one SVG path, with an optional threshold. No text of its own. */
import { memo } from "react";

import { cn } from "@/lib/cn";

interface SparkProps {
  readonly points: readonly (number | null)[];
  /** Points a full line has; a younger line starts further right. */
  readonly span: number;
  readonly threshold?: number;
  readonly width: number;
  readonly height: number;
  readonly label: string;
  readonly className?: string;
  readonly area?: boolean;
}

const PAD = 2;

function Line({ points, span, threshold, width, height, label, className, area }: SparkProps) {
  const known = points.filter((point) => point !== null);
  const low = Math.min(...known, threshold ?? Infinity);
  const high = Math.max(...known, threshold ?? -Infinity);
  const range = high - low || 1;
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
      {area === true && known.length > 1 && !points.includes(null) ? (
        <path
          d={`${path}L${width} ${height}L${first} ${height}Z`}
          fill="currentColor"
          className="opacity-15"
        />
      ) : null}
      {threshold === undefined || known.length < 2 ? null : (
        <line
          x1={0}
          x2={width}
          y1={y(threshold)}
          y2={y(threshold)}
          strokeDasharray="2 3"
          className="stroke-line-control"
        />
      )}
      {known.length < 2 ? null : (
        <path d={path} fill="none" stroke="currentColor" strokeWidth={1.4} strokeLinejoin="round" />
      )}
    </svg>
  );
}

export const Spark = memo(Line);
