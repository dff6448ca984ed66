/**
 * Gross gap against costs on one scale: grey for what costs eat, a tick at break-even, lime for
 * what is left. Below cost there is no lime at all.
 */
interface EdgeBarProps {
  readonly grossBps: number;
  readonly costBps: number;
  readonly scaleBps: number;
  readonly stale: boolean;
}

const share = (value: number, scale: number) => Math.min(100, Math.max(0, (value / scale) * 100));

export function EdgeBar({ grossBps, costBps, scaleBps, stale }: EdgeBarProps) {
  const eaten = share(Math.min(grossBps, costBps), scaleBps);
  const left = share(grossBps, scaleBps) - eaten;
  const tick = share(costBps, scaleBps);
  return (
    <span aria-hidden="true" className="relative block h-3.5 w-20 min-w-10 shrink">
      <span className="absolute inset-x-0 top-[4px] h-[6px] rounded-bar bg-surface-2" />
      <span
        style={{ width: `${eaten}%` }}
        className={`absolute top-[4px] left-0 h-[6px] rounded-bar ${stale ? "bg-line-control" : "bg-bin"}`}
      />
      {left > 0 ? (
        <span
          style={{ left: `${eaten}%`, width: `${left}%` }}
          className={`absolute top-[3px] h-2 rounded-bar ${stale ? "bg-line-control" : "bg-lime"}`}
        />
      ) : null}
      <span
        style={{ left: `${tick}%` }}
        className="absolute top-px h-3 w-px bg-text-2"
      />
    </span>
  );
}
