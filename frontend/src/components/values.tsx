/**
 * The format components: the only way amounts, rates, ages and times reach the screen.
 *
 * `Pnl` is the only one that may use the colours of gain and loss.
 */
import { ArrowRight } from "lucide-react";

import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { useNow } from "@/lib/live";
import { DIRECTION_WORDS } from "@/lib/states";

interface Amount {
  readonly value: string;
  readonly className?: string;
  readonly testId?: string;
}

/** Signed profit or loss; grey and unsigned at zero, uncoloured when stale. */
export function Pnl({ value, stale = false, decimals = 2, className, testId }: Amount & {
  readonly stale?: boolean;
  readonly decimals?: number;
}) {
  const sign = format.pnlSign(value, decimals);
  const colour = stale ? "text-text-3" : sign > 0 ? "text-gain" : sign < 0 ? "text-loss" : "text-text-2";
  return (
    <span data-testid={testId} data-value={value} className={cn("whitespace-nowrap", colour, className)}>
      {format.pnl(value, decimals)}
    </span>
  );
}

/** Dollars, compact for headlines with the full amount in the tooltip. */
export function Money({ value, compact = false, decimals = 0, className, testId }: Amount & {
  readonly compact?: boolean;
  readonly decimals?: number;
}) {
  return (
    <span
      data-testid={testId}
      data-value={value}
      title={compact ? format.usd(value, 2) : undefined}
      className={cn("whitespace-nowrap", className)}
    >
      {compact ? format.usdCompact(value) : format.usd(value, decimals)}
    </span>
  );
}

/** A price with the venue's decimals; the full digits are in the tooltip. */
export function Price({ value, decimals, className }: {
  readonly value: string | null;
  readonly decimals?: number;
  readonly className?: string;
}) {
  return (
    <span
      title={value ?? "No price yet"}
      data-value={value ?? ""}
      className={cn("whitespace-nowrap", className)}
    >
      {format.price(value, decimals)}
    </span>
  );
}

/** A UTC instant from unix ms, with local time in the tooltip. */
export function UtcTime({ atMs, className }: { readonly atMs: number; readonly className?: string }) {
  const now = useNow();
  return (
    <time
      dateTime={new Date(atMs).toISOString()}
      title={`${new Date(atMs).toISOString()} · local ${new Date(atMs).toLocaleString()}`}
      className={cn("font-mono text-micro whitespace-nowrap", className)}
    >
      {format.utcStamp(atMs, now)}
    </time>
  );
}

/** From venue to venue, as letters with an arrow: K → S. */
export function Direction({ ends, className }: {
  readonly ends: "K>S" | "S>K" | null;
  readonly className?: string;
}) {
  if (ends === null) {
    return <span title="No gap to trade on yet">{format.UNKNOWN}</span>;
  }
  const [from, to] = ends.split(">");
  return (
    <span
      title={DIRECTION_WORDS[ends]}
      data-value={ends}
      className={cn("inline-flex items-center gap-1 whitespace-nowrap", className)}
    >
      <span className="sr-only">{DIRECTION_WORDS[ends]}</span>
      <span aria-hidden="true">{from}</span>
      <ArrowRight aria-hidden="true" size={12} strokeWidth={1.75} />
      <span aria-hidden="true">{to}</span>
    </span>
  );
}

/** The em dash, with the reason why there is no value. */
export function Unknown({ why, className }: { readonly why: string; readonly className?: string }) {
  return (
    <span title={why} className={className}>
      {format.UNKNOWN}
      <span className="sr-only">{why}</span>
    </span>
  );
}
