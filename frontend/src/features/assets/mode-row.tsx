/**
 * One scope's mode and its commands: the desk ("*") or an asset.
 *
 * What is pressed is what the engine reports, never what was clicked. Towards fewer orders one
 * click is enough; LIVE and resuming ask in a dialog.
 */
import { Eye, FlaskConical, Pause, Play, Zap } from "lucide-react";
import { useState } from "react";

import { GoLiveDialog, ResumeDialog } from "@/components/command-dialogs";
import { ModeChip } from "@/components/mode-chip";
import { Button } from "@/components/ui/button";
import { reasonText } from "@/lib/banners";
import type { Control } from "@/lib/api";
import { cn } from "@/lib/cn";
import { pending } from "@/lib/commands";
import * as format from "@/lib/format";
import type { Mode, Status } from "@/lib/frames";
import { useCommands, useLive, useMayTrade, useNow } from "@/lib/live";
import { assetMode, engineState, scopeMode } from "@/lib/states";
import { testId } from "@/lib/testids";
import { ruleWord } from "@/lib/words";

const CHOICES = [
  { mode: "observe", word: "Observe", icon: Eye, what: "Decides and stores, sends nothing" },
  { mode: "paper", word: "Paper", icon: FlaskConical, what: "A model fills at live prices, sends nothing" },
  { mode: "live", word: "Live", icon: Zap, what: "Sends orders" },
] as const;
type Choice = (typeof CHOICES)[number]["mode"];

export function ModeRow({ scope, status, control }: {
  readonly scope: string;
  readonly status: Status;
  /** The scope's row in the database: who set it, and what ends it. */
  readonly control: Control | undefined;
}) {
  const now = useNow();
  const silent = engineState(status, now) === "no_signal";
  const own = scopeMode(status, scope);
  const inForce = scope === "*" ? status.mode : assetMode(status, scope);
  const why = status.reasons.filter((reason) => reason.asset === scope);
  return (
    <li
      data-testid={testId.assetRow(scope)}
      data-state={silent ? "no_signal" : inForce}
      className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-3.5 py-2 last:border-b-0"
    >
      <span className="w-28 font-semibold">{scope === "*" ? "Whole desk" : scope}</span>
      <span className={cn("w-32", silent && "grayscale")}>
        <ModeChip mode={inForce} />
      </span>
      <ModeButtons scope={scope} own={own} silent={silent} />
      <span className="min-w-0 flex-1 text-caption text-text-3 max-sm:basis-full">
        {why.length === 0 && own !== inForce ? "Held back by the whole desk's mode" : null}
        {why.map((reason) => (
          <span key={`${reason.rule}-${reason.mode}`} className="block truncate" title={reasonText(reason)}>
            {reason.rule === "settings" ? "" : `${ruleWord(reason.rule)}: `}
            {reasonText(reason)}
            {reason.rule === "settings" ? "" : `, for ${format.roughAge(Math.max(0, now - reason.since_ns / 1e6))}`}
          </span>
        ))}
        {control === undefined || control.leaves_by === "" ? null : (
          <span className="block" data-testid={testId.assetLeaves(scope)}>
            Ends: {control.leaves_words}
            {control.asked_by.length === 0 ? "" : `. Ordered so far by ${control.asked_by.join(", ")}`}
          </span>
        )}
      </span>
    </li>
  );
}

/** Why a choice is not open from here; null when it is. */
function closedBecause(choice: Choice, own: Mode): string | null {
  if (own === "halt") return "Killed: an administrator resets the kill switch first";
  if (own === "hedge_only" && choice !== "observe") return "Auto-paused: resume it first";
  if (own === "stop_new" && choice !== "observe") return "Paused: resume it first";
  if (choice === "live" && own === "paper") return "From paper go to observe first";
  return null;
}

function ModeButtons({ scope, own, silent }: {
  readonly scope: string;
  readonly own: Mode;
  readonly silent: boolean;
}) {
  const { commands } = useLive();
  const states = useCommands();
  const may = useMayTrade();
  const [asking, setAsking] = useState<"live" | "resume" | null>(null);
  const name = scope === "*" ? "the whole desk" : scope;
  const choose = (choice: Choice) => {
    if (choice === "live") setAsking("live");
    else commands.run(choice, { scope, reason: `${choice === "paper" ? "Paper" : "Observe only"} from the console` });
  };
  const stopped = own === "stop_new" || own === "hedge_only";
  const closed = (choice: Choice) => {
    if (!may) return "Needs operator permission";
    if (silent && choice === "live") return "No signal from the engine";
    return closedBecause(choice, own);
  };
  return (
    <span className="flex flex-wrap items-center gap-2">
      <span role="group" aria-label={`Mode of ${name}`} className="inline-flex">
        {CHOICES.map(({ mode, word, icon: Icon, what }) => (
          <Button
            key={mode}
            aria-pressed={own === mode}
            disabled={closed(mode) !== null || (own === mode && !silent) || pending(states[mode])}
            title={closed(mode) ?? what}
            data-testid={testId.assetMode(scope, mode)}
            onClick={() => choose(mode)}
            className={cn(
              "-ml-px rounded-none max-sm:px-2.5 sm:min-w-[94px] first:ml-0 first:rounded-l-control last:rounded-r-control",
              own === mode && "bg-surface-3 font-semibold disabled:bg-surface-3 disabled:text-text-1",
            )}
          >
            <Icon aria-hidden="true" size={14} strokeWidth={1.75} className="max-sm:hidden" />
            {word}
            {mode === "live" && own !== "live" ? "…" : ""}
          </Button>
        ))}
      </span>
      {stopped ? (
        <Button
          disabled={!may || pending(states.resume)}
          title={may ? undefined : "Needs operator permission"}
          data-testid={testId.assetResume(scope)}
          onClick={() => setAsking("resume")}
        >
          <Play aria-hidden="true" size={14} strokeWidth={1.75} />
          Resume…
        </Button>
      ) : (
        <Button
          disabled={!may || own === "halt" || pending(states.pause)}
          title={may ? undefined : "Needs operator permission"}
          data-testid={testId.assetPause(scope)}
          onClick={() => commands.run("pause", { scope, reason: "Paused from the console" })}
        >
          <Pause aria-hidden="true" size={14} strokeWidth={1.75} />
          Pause
        </Button>
      )}
      <GoLiveDialog scope={scope} open={asking === "live"} onOpenChange={(open) => setAsking(open ? "live" : null)} />
      <ResumeDialog scope={scope} open={asking === "resume"} onOpenChange={(open) => setAsking(open ? "resume" : null)} />
    </span>
  );
}
