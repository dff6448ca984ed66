/**
 * A button that acts after being held for one second.
 *
 * Releasing early cancels. Enter or Space asks for the equivalent dialog, so nobody has to hold
 * a key; a click shorter than the hold does nothing.
 */
import { OctagonX } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, useEffect, useId, useRef, useState } from "react";

import { testId } from "@/lib/testids";

const HOLD_MS = 1000;

interface HoldButtonProps {
  readonly onHeld: () => void;
  readonly onKeyboard: () => void;
  readonly busy: boolean;
}

export function KillHoldButton({ onHeld, onKeyboard, busy }: HoldButtonProps) {
  const [holding, setHolding] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const hint = useId();

  const release = () => {
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = null;
    setHolding(false);
  };
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
    },
    [],
  );

  const press = (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0 || busy || timer.current !== null) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setHolding(true);
    timer.current = setTimeout(() => {
      release();
      onHeld();
    }, HOLD_MS);
  };
  const key = (event: KeyboardEvent<HTMLButtonElement>) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (!event.repeat && !busy) onKeyboard();
  };

  return (
    <button
      type="button"
      data-testid={testId.killButton}
      data-state={holding ? "holding" : busy ? "pending" : "rest"}
      aria-describedby={hint}
      aria-disabled={busy}
      onPointerDown={press}
      onPointerUp={release}
      onPointerCancel={release}
      onLostPointerCapture={release}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={key}
      className="relative flex h-8 shrink-0 touch-none items-center gap-2 overflow-hidden rounded-control border border-crit-line bg-crit-soft px-3 font-semibold whitespace-nowrap text-crit-soft-text select-none max-sm:h-11"
    >
      <span aria-hidden="true" data-holding={holding} className="hold-fill absolute inset-0 bg-crit" />
      <OctagonX aria-hidden="true" size={16} strokeWidth={1.75} className="relative" />
      <span className={holding ? "relative text-on-crit" : "relative"}>
        Kill<span className="max-sm:sr-only"> switch</span>
      </span>
      <span
        aria-hidden="true"
        className={
          holding ? "relative font-normal text-on-crit" : "relative font-normal max-xl:hidden"
        }
      >
        hold 1 s
      </span>
      <span id={hint} className="sr-only">
        Hold for one second to stop every order. Enter opens a dialog instead.
      </span>
    </button>
  );
}
