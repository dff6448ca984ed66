/**
 * The engine's controls in the status bar: observe only, pause, resume, kill, and what became of
 * the last command. State words change elsewhere, and only on the engine's echo.
 */
import { Eye, Lock, OctagonX, Pause, Play } from "lucide-react";
import { useState } from "react";

import { cn } from "@/lib/cn";
import type { ControlAction } from "@/lib/api";
import { type CommandState, doubt, pending } from "@/lib/commands";
import { localNow } from "@/lib/clock";
import * as format from "@/lib/format";
import { useCommands, useDesk, useLive, useMayReset, useMayTrade, useNow } from "@/lib/live";
import { engineState, observeOn } from "@/lib/states";
import { testId } from "@/lib/testids";

import { GoLiveDialog, KillDialog, ResetDialog, ResumeDialog } from "./command-dialogs";
import { KillHoldButton } from "./hold-button";
import { Button } from "./ui/button";
import { Kbd } from "./ui/kbd";
import { Switch } from "./ui/switch";

export const PAUSE = { scope: "*", reason: "Paused from the console" } as const;
const OBSERVE = { scope: "*", reason: "Observe only from the console" } as const;
const KILL = { scope: "*", reason: "Kill switch held in the console" } as const;

const NEEDS = "Needs operator permission";

export function ObserveSwitch() {
  const { commands } = useLive();
  const status = useDesk("status");
  const states = useCommands();
  const may = useMayTrade();
  const now = useNow();
  const [asking, setAsking] = useState(false);
  const on = observeOn(status);
  const known = engineState(status, now) !== "no_signal";
  const busy = pending(states.observe) || pending(states.live);
  const fixed = status?.mode === "halt" || status?.mode === "paper";
  return (
    <div
      title={may ? undefined : NEEDS}
      className="flex h-8 shrink-0 items-center gap-2 rounded-control border border-line-2 bg-surface-1 px-2.5 text-caption max-sm:h-9"
    >
      {may ? (
        <Eye aria-hidden="true" size={16} strokeWidth={1.75} className={on ? "text-info" : "text-text-2"} />
      ) : (
        <Lock aria-hidden="true" size={14} strokeWidth={1.75} className="text-text-3" />
      )}
      <label
        htmlFor="observe-only"
        className={cn("whitespace-nowrap", fixed || !known ? "text-text-3" : "text-text-2")}
      >
        Observe only
      </label>
      <Switch
        id="observe-only"
        data-testid={testId.observeToggle}
        checked={on}
        disabled={!may || !known || busy || fixed}
        onCheckedChange={(next) => {
          if (next) commands.run("observe", OBSERVE);
          else setAsking(true);
        }}
      />
      <GoLiveDialog open={asking} onOpenChange={setAsking} />
    </div>
  );
}

export function PauseResume() {
  const { commands } = useLive();
  const status = useDesk("status");
  const states = useCommands();
  const may = useMayTrade();
  const now = useNow();
  const [asking, setAsking] = useState(false);
  const state = engineState(status, now);
  const resumable = state === "paused" || state === "auto_paused";
  return (
    <>
      {state === "paused" ? null : (
        <Button
          data-testid={testId.pauseButton}
          aria-keyshortcuts="Shift+P"
          aria-disabled={pending(states.pause)}
          disabled={!may}
          title={may ? undefined : NEEDS}
          onClick={() => commands.run("pause", PAUSE)}
        >
          {may ? (
            <Pause aria-hidden="true" size={16} strokeWidth={1.75} />
          ) : (
            <Lock aria-hidden="true" size={14} strokeWidth={1.75} />
          )}
          <span className="max-[380px]:sr-only">Pause</span>
          <span className="max-xl:hidden">
            <Kbd>⇧P</Kbd>
          </span>
        </Button>
      )}
      {resumable ? (
        <Button
          data-testid={testId.resumeButton}
          disabled={!may || pending(states.resume)}
          title={may ? undefined : NEEDS}
          onClick={() => setAsking(true)}
        >
          <Play aria-hidden="true" size={16} strokeWidth={1.75} />
          Resume
        </Button>
      ) : null}
      <ResumeDialog open={asking} onOpenChange={setAsking} />
    </>
  );
}

export function KillSwitch({ asking, onAsk }: {
  readonly asking: boolean;
  readonly onAsk: (open: boolean) => void;
}) {
  const { commands } = useLive();
  const status = useDesk("status");
  const states = useCommands();
  const may = useMayTrade();
  const mayReset = useMayReset();
  const [resetting, setResetting] = useState(false);
  const kill = () => commands.run("kill", KILL);
  if (status?.mode === "halt" && mayReset) {
    return (
      <>
        <Button
          tone="danger"
          data-testid={testId.killReset}
          disabled={pending(states.reset)}
          onClick={() => setResetting(true)}
        >
          <OctagonX aria-hidden="true" size={16} strokeWidth={1.75} />
          <span>
            Reset<span className="max-sm:sr-only"> kill switch</span>…
          </span>
        </Button>
        <ResetDialog open={resetting} onOpenChange={setResetting} />
      </>
    );
  }
  if (status?.mode === "halt") {
    return (
      <span
        data-testid={testId.killButton}
        data-state="active"
        className="flex h-8 shrink-0 items-center gap-2 rounded-control border border-crit-line bg-crit-soft px-3 font-semibold whitespace-nowrap text-crit-soft-text max-sm:h-11"
      >
        <OctagonX aria-hidden="true" size={16} strokeWidth={1.75} />
        <span>
          Kill<span className="max-sm:sr-only"> switch</span> active
        </span>
      </span>
    );
  }
  if (!may) {
    return (
      <span
        title={NEEDS}
        data-testid={testId.killButton}
        data-state="locked"
        className="flex h-8 shrink-0 items-center gap-2 rounded-control border border-line px-3 text-text-disabled"
      >
        <Lock aria-hidden="true" size={14} strokeWidth={1.75} />
        Kill switch
      </span>
    );
  }
  return (
    <>
      <KillHoldButton onHeld={kill} onKeyboard={() => onAsk(true)} busy={pending(states.kill)} />
      <KillDialog open={asking} onOpenChange={onAsk} onConfirm={kill} />
    </>
  );
}

const VERB: Record<ControlAction, readonly [string, string]> = {
  pause: ["Pause", "Paused"],
  resume: ["Resume", "Resumed"],
  observe: ["Observe only", "Observe only on"],
  paper: ["Paper", "On paper"],
  live: ["Go live", "Observe only off"],
  kill: ["Kill", "Killed"],
  reset: ["Reset", "Kill switch reset"],
};

function commandLine(action: ControlAction, state: CommandState, nowMs: number) {
  const [verb, done] = VERB[action];
  switch (state.phase) {
    case "rest":
      return null;
    case "sending":
      return { tone: "text-text-2", text: `${verb}: sending` };
    case "accepted":
      return doubt(state, nowMs) === "none"
        ? { tone: "text-text-2", text: `${verb} requested` }
        : { tone: "text-warn", text: `Not confirmed yet, ${format.age(nowMs - state.startedMs)}` };
    case "waiting":
      return { tone: "text-warn", text: `${verb} waits for a second person` };
    case "confirmed":
      return { tone: "text-text-1", text: `${done}, confirmed in ${format.age(state.tookMs)}` };
    case "failed":
      return { tone: "text-warn", text: `${verb}: not sent` };
  }
}

/** What became of the last command, in words; the crit cases are banners as well. */
export function CommandStatus() {
  const states = useCommands();
  // The ticker moves the waiting time; commands are timed by the local clock.
  useNow();
  const [action, state] = (Object.entries(states) as [ControlAction, CommandState][])
    .filter(([, one]) => one.phase !== "rest")
    .at(-1) ?? [null, null];
  const line = action === null ? null : commandLine(action, state, localNow());
  return (
    <span
      role="status"
      data-testid={testId.commandStatus}
      data-state={state?.phase ?? "rest"}
      data-value={action ?? ""}
      className={cn(
        "fixed right-4 bottom-4 z-30 max-sm:right-3 max-sm:bottom-16",
        line === null
          ? "sr-only"
          : "rounded-control border border-line-2 bg-surface-2 px-3.5 py-2 font-medium shadow-overlay",
        line?.tone,
      )}
    >
      {line?.text ?? ""}
    </span>
  );
}
