/** The bar that never moves: engine state, observe only, venues, clock, pause and kill. */
import {
  KillSwitch,
  ObserveSwitch,
  PauseResume,
} from "@/components/command-controls";
import { EngineState } from "@/components/engine-state";
import { VenuePill } from "@/components/venue-pill";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { useDesk, useNow } from "@/lib/live";
import { testId } from "@/lib/testids";

export function StatusBar({ killAsked, onKillAsk }: {
  readonly killAsked: boolean;
  readonly onKillAsk: (open: boolean) => void;
}) {
  const venues = useDesk("status")?.venues ?? [];
  return (
    <header
      className={cn(
        "sticky top-0 z-20 flex min-h-[52px] flex-wrap items-center gap-2 border-b border-line bg-canvas px-4 py-2",
        "max-sm:gap-x-2 max-sm:px-3 lg:flex-nowrap",
      )}
    >
      <EngineState />
      {/* A container of its own: round trips leave first when the buttons need the room. */}
      <div className="@container/venues relative flex min-w-0 flex-1 items-center gap-2 overflow-x-auto p-0.5 [scrollbar-width:none] max-lg:order-last max-lg:basis-full">
        <ObserveSwitch />
        <div aria-label="Venues" role="group" className="flex shrink-0 items-center gap-1.5">
          {venues.map((venue) => (
            <VenuePill key={venue.venue} venue={venue} />
          ))}
        </div>
      </div>
      <div className="ml-auto flex shrink-0 items-center gap-2">
        <ClockAndAge />
        <PauseResume />
        <KillSwitch asking={killAsked} onAsk={onKillAsk} />
      </div>
    </header>
  );
}

const SCREEN_WARN_MS = 200;
const SCREEN_STALE_MS = 2000;

function ClockAndAge() {
  const now = useNow();
  const age = useDesk("screenAge") ?? null;
  const state = age === null ? "unknown" : age < SCREEN_WARN_MS ? "fresh" : age < SCREEN_STALE_MS ? "warn" : "stale";
  return (
    <div className="flex shrink-0 flex-col items-end px-1 max-lg:hidden">
      <span data-testid={testId.utcClock} className="leading-4 font-medium whitespace-nowrap">
        {format.utcTime(now)} UTC
      </span>
      <span
        data-testid={testId.screenAge}
        data-age-ms={age === null ? "" : Math.round(age)}
        data-state={state}
        title="Time from the engine publishing a value to this page painting it"
        className={cn(
          "text-micro whitespace-nowrap",
          state === "warn" || state === "stale" ? "text-warn" : "text-text-3",
        )}
      >
        screen age {format.age(age)}
      </span>
    </div>
  );
}
