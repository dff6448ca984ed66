/** Drift from target around zero, with the allowed band; beyond it the bar is amber. */
interface DriftBarProps {
  readonly driftPct: number;
  readonly limitPct: number;
  readonly stale: boolean;
}

export function DriftBar({ driftPct, limitPct, stale }: DriftBarProps) {
  const reach = Math.max(limitPct * 1.67, Math.abs(driftPct) * 1.05, 1);
  const at = (pct: number) => 50 + (pct / reach) * 50;
  const over = Math.abs(driftPct) > limitPct;
  const colour = stale ? "bg-line-control" : over ? "bg-warn" : "bg-text-3";
  return (
    <span aria-hidden="true" className="relative block h-4 w-full min-w-16">
      <span className="absolute inset-x-0 top-[7.5px] h-px bg-line" />
      <span
        style={{ left: `${at(-limitPct)}%`, right: `${100 - at(limitPct)}%` }}
        className="absolute top-[4px] h-2 rounded-bar bg-surface-2"
      />
      <span
        style={
          driftPct >= 0
            ? { left: "50%", width: `${at(driftPct) - 50}%` }
            : { right: "50%", width: `${50 - at(driftPct)}%` }
        }
        className={`absolute top-[3px] h-2.5 rounded-bar ${colour}`}
      />
      <span className="absolute top-0 left-1/2 h-4 w-px bg-text-2" />
    </span>
  );
}
