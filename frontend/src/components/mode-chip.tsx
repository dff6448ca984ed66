/** A mode in a row, as the engine reports it: icon, word and pattern. */
import { Eye, FlaskConical, type LucideIcon, OctagonPause, OctagonX, Pause, Zap } from "lucide-react";

import type { Mode } from "@/lib/frames";

import { Chip } from "./ui/chip";

const LOOK: Record<
  Mode,
  { icon: LucideIcon; tone: "armed" | "info" | "paused" | "autoPaused" | "blocked"; word: string }
> = {
  live: { icon: Zap, tone: "armed", word: "Live" },
  paper: { icon: FlaskConical, tone: "info", word: "Paper" },
  observe: { icon: Eye, tone: "info", word: "Observe" },
  hedge_only: { icon: OctagonPause, tone: "autoPaused", word: "Auto-paused" },
  stop_new: { icon: Pause, tone: "paused", word: "Paused" },
  halt: { icon: OctagonX, tone: "blocked", word: "Killed" },
};

export function ModeChip({ mode }: { readonly mode: Mode }) {
  const { icon, tone, word } = LOOK[mode];
  return (
    <Chip tone={tone} icon={icon} data-state={mode}>
      {word}
    </Chip>
  );
}
