/** The engine's state word, as the engine last said it, with the age of its beat. */
import {
  CircleHelp,
  Eye,
  FlaskConical,
  type LucideIcon,
  OctagonPause,
  OctagonX,
  Pause,
  Zap,
} from "lucide-react";

import { reasonText } from "@/lib/banners";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { useAge, useDesk, useNow } from "@/lib/live";
import { ENGINE_WORD, type EngineState as State, engineState } from "@/lib/states";
import { testId } from "@/lib/testids";

const ICON: Record<State, LucideIcon> = {
  live: Zap,
  observe: Eye,
  paper: FlaskConical,
  paused: Pause,
  auto_paused: OctagonPause,
  killed: OctagonX,
  no_signal: CircleHelp,
};

const FRAME: Record<State, string> = {
  live: "border-lime-line",
  observe: "border-info-line",
  paper: "border-info-line",
  paused: "border-warn-line",
  auto_paused: "border-warn-line",
  killed: "border-crit-line",
  no_signal: "border-dashed border-text-2",
};

const WORD: Record<State, string> = {
  live: "bg-lime text-on-lime",
  observe: "bg-info-soft text-info",
  paper: "bg-info-soft text-info",
  paused: "bg-warn-soft text-warn",
  auto_paused: "stripes-warn text-warn",
  killed: "bg-crit text-on-crit",
  no_signal: "bg-surface-3 text-text-1",
};

const REST: Record<State, string> = {
  live: "bg-lime-soft",
  observe: "bg-surface-1",
  paper: "bg-surface-1",
  paused: "bg-surface-1",
  auto_paused: "bg-surface-1",
  killed: "bg-crit-soft",
  no_signal: "bg-surface-1",
};

export function EngineState() {
  const status = useDesk("status");
  const now = useNow();
  const state = engineState(status, now);
  const beat = useAge(status === undefined ? null : status.beat_ns / 1e6);
  const Icon = ICON[state];
  const why = status?.reasons.find((reason) => reason.asset === "*");
  return (
    <div
      role="status"
      aria-live="off"
      data-testid={testId.engineState}
      data-state={state}
      title={why === undefined ? undefined : reasonText(why)}
      className={cn(
        "flex h-8 shrink-0 items-stretch overflow-hidden rounded-control border max-sm:h-11",
        FRAME[state],
      )}
    >
      <span className={cn("flex items-center gap-1.5 px-3 font-bold tracking-[0.01em]", WORD[state])}>
        <Icon aria-hidden="true" size={15} strokeWidth={2} />
        {ENGINE_WORD[state]}
      </span>
      <span
        className={cn(
          "flex items-center gap-1 px-2.5 text-caption whitespace-nowrap text-text-2",
          state === "no_signal" ? "max-[380px]:hidden" : "max-xl:hidden",
          REST[state],
        )}
      >
        <span className="max-xl:hidden">Engine beat</span>
        <span
          data-testid={testId.engineBeat}
          data-age-ms={beat === null ? "" : Math.round(beat)}
          className="min-w-[30px] font-semibold text-text-1"
        >
          {beat === null ? "none yet" : beatAge(beat)}
        </span>
      </span>
    </div>
  );
}

function beatAge(ms: number): string {
  return ms < 60_000 ? `${(Math.floor(ms / 100) / 10).toFixed(1)} s` : format.age(ms);
}
