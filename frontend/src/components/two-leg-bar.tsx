/**
 * Both legs of a trade on one axis from detection, with the two objectives as ticks.
 *
 * The unfilled rest of a leg is hatched with an outline, so it reads without colour.
 */
import { useId } from "react";

import type { LegBar } from "@/lib/execution";

const W = 220;
const H = 30;
const LANE = { kraken: 4, solana: 17 } as const;
const SLOS_MS = [700, 1500] as const;

interface TwoLegBarProps {
  readonly bars: readonly LegBar[];
  readonly axisMs: number;
  readonly label: string;
}

const FILL = { kraken: "fill-kraken", solana: "fill-solana" } as const;
const STROKE = { kraken: "stroke-kraken", solana: "stroke-solana" } as const;

export function TwoLegBar({ bars, axisMs, label }: TwoLegBarProps) {
  const id = useId();
  const x = (ms: number) => Math.min(W, (ms / axisMs) * W);
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${W} ${H}`}
      preserveAspectRatio="none"
      className="h-[30px] w-full min-w-16"
    >
      <defs>
        {(["kraken", "solana"] as const).map((lane) => (
          <pattern
            key={lane}
            id={`${id}-${lane}`}
            width="5"
            height="5"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <rect width="5" height="5" className="fill-surface-1" />
            <rect width="2" height="5" className={FILL[lane]} />
          </pattern>
        ))}
      </defs>
      {SLOS_MS.map((slo) => (
        <line
          key={slo}
          x1={x(slo)}
          x2={x(slo)}
          y1={0}
          y2={H}
          strokeDasharray="2 3"
          vectorEffect="non-scaling-stroke"
          className="stroke-line-control"
        />
      ))}
      {bars.map((bar, index) => {
        const from = x(bar.fromMs);
        const to = bar.toMs === null ? W : Math.max(from + 2, x(bar.toMs));
        const solid = (to - from) * (bar.toMs === null ? 0 : bar.filled);
        const y = LANE[bar.lane] + (bar.hedge ? 2.5 : 0);
        const height = bar.hedge ? 4 : 9;
        return (
          <g key={index}>
            {solid < to - from ? (
              <rect
                x={from}
                y={y}
                width={to - from}
                height={height}
                rx={1.5}
                fill={`url(#${id}-${bar.lane})`}
                vectorEffect="non-scaling-stroke"
                className={STROKE[bar.lane]}
              />
            ) : null}
            <rect x={from} y={y} width={solid} height={height} rx={1.5} className={FILL[bar.lane]} />
          </g>
        );
      })}
    </svg>
  );
}
