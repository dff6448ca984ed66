/** The state of an asset in its row. */
import { Eye, FlaskConical, type LucideIcon, Minus, OctagonPause, OctagonX, Pause, Zap } from "lucide-react";

import type { SpreadState } from "@/lib/frames";
import { SPREAD_WORD } from "@/lib/states";

import { Chip } from "./ui/chip";

const LOOK: Record<
  SpreadState,
  { icon: LucideIcon; tone: "armed" | "quiet" | "info" | "paused" | "autoPaused" | "blocked" }
> = {
  armed: { icon: Zap, tone: "armed" },
  below_cost: { icon: Minus, tone: "quiet" },
  observe: { icon: Eye, tone: "info" },
  paper: { icon: FlaskConical, tone: "info" },
  paused: { icon: Pause, tone: "paused" },
  auto_paused: { icon: OctagonPause, tone: "autoPaused" },
  blocked: { icon: OctagonX, tone: "blocked" },
};

export function SpreadChip({ state, stale, testId, title }: {
  readonly state: SpreadState;
  readonly stale: boolean;
  readonly testId: string;
  readonly title: string | undefined;
}) {
  const { icon, tone } = LOOK[state];
  const faded = stale && (tone === "armed" || tone === "info");
  return (
    <Chip data-testid={testId} data-state={state} title={title} icon={icon} tone={faded ? "quiet" : tone}>
      {SPREAD_WORD[state]}
    </Chip>
  );
}
