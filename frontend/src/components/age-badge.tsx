/** How old a card's data is: a quiet dot when fresh, a clock in amber when stale. */
import { Clock } from "lucide-react";

import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { useAge } from "@/lib/live";
import { freshness } from "@/lib/states";

export function AgeBadge({ atMs, kind }: {
  readonly atMs: number | null | undefined;
  readonly kind: "spreads" | "status" | "inventory" | "metrics";
}) {
  const age = useAge(atMs);
  const state = freshness(kind, age);
  if (age === null) return <span title="No data yet">{format.UNKNOWN}</span>;
  return (
    <span
      data-state={state}
      data-age-ms={Math.round(age)}
      className={cn(
        "inline-flex items-center gap-1.5 whitespace-nowrap",
        state === "ageing" && "text-text-1",
        state === "stale" && "text-warn",
      )}
    >
      {state === "stale" ? (
        <Clock aria-hidden="true" size={12} strokeWidth={1.75} />
      ) : (
        <span aria-hidden="true" className="size-[5px] rounded-full bg-text-3" />
      )}
      {kind === "spreads" ? format.age(age) : age < 1000 ? "<1 s" : format.roughAge(age)}
    </span>
  );
}
