/**
 * What is known of a command: sent, accepted by the server, confirmed by the engine.
 *
 * Only the engine's own echo (its status names the command id) confirms. A second click while a
 * command is pending does nothing; a kill that cannot be delivered repeats itself.
 */
import type { ControlAction, ControlBody } from "./api";
import { causeOf } from "./session";

export type CommandState =
  | { readonly phase: "rest" }
  | { readonly phase: "sending"; readonly startedMs: number; readonly tries: number }
  | { readonly phase: "accepted"; readonly startedMs: number; readonly id: string }
  /** The server has it, and wants the same from a second person before anything changes. */
  | { readonly phase: "waiting"; readonly atMs: number }
  | { readonly phase: "confirmed"; readonly tookMs: number; readonly atMs: number }
  | { readonly phase: "failed"; readonly cause: string; readonly retry: boolean };

export type CommandEvent =
  | { readonly type: "send"; readonly atMs: number }
  | { readonly type: "accept"; readonly id: string }
  | { readonly type: "wait"; readonly atMs: number }
  | { readonly type: "echo"; readonly applied: readonly string[]; readonly atMs: number }
  | { readonly type: "fail"; readonly cause: string; readonly retry: boolean }
  | { readonly type: "again" }
  | { readonly type: "clear" };

/** The next state; an event that does not belong to the state changes nothing. */
export function step(state: CommandState, event: CommandEvent): CommandState {
  switch (event.type) {
    case "send":
      return pending(state) ? state : { phase: "sending", startedMs: event.atMs, tries: 1 };
    case "again":
      return state.phase === "sending" ? { ...state, tries: state.tries + 1 } : state;
    case "accept":
      if (state.phase !== "sending") return state;
      return { phase: "accepted", startedMs: state.startedMs, id: event.id };
    case "wait":
      return state.phase === "sending" ? { phase: "waiting", atMs: event.atMs } : state;
    case "echo":
      if (state.phase !== "accepted" || !event.applied.includes(state.id)) return state;
      return { phase: "confirmed", tookMs: event.atMs - state.startedMs, atMs: event.atMs };
    case "fail":
      if (state.phase !== "sending") return state;
      return { phase: "failed", cause: event.cause, retry: event.retry };
    case "clear":
      return pending(state) ? state : { phase: "rest" };
  }
}

export function pending(state: CommandState): boolean {
  return state.phase === "sending" || state.phase === "accepted";
}

/** How worried to be about an unconfirmed command: after 1 s, after 3 s. */
export function doubt(state: CommandState, nowMs: number): "none" | "warn" | "crit" {
  if (!pending(state) || !("startedMs" in state)) return "none";
  const waited = nowMs - state.startedMs;
  return waited >= 3000 ? "crit" : waited >= 1000 ? "warn" : "none";
}

const KILL_TRIES = 10;
const KILL_EVERY_MS = 500;
const SHOWN_MS = 4000;

export interface CommandParts {
  readonly send: (action: ControlAction, body: ControlBody, key: string) => Promise<string | null>;
  readonly nowMs: () => number;
  readonly newKey: () => string;
  /** The command ids the engine has most recently said it applied. */
  readonly applied: () => readonly string[];
}

type Commands = Readonly<Record<ControlAction, CommandState>>;
const REST: CommandState = { phase: "rest" };

interface Sent {
  readonly body: ControlBody;
  readonly key: string;
}

/** One slot per action: a pending pause never blocks a kill. */
export class CommandCentre {
  private states: Commands = {
    pause: REST,
    resume: REST,
    observe: REST,
    paper: REST,
    live: REST,
    kill: REST,
    reset: REST,
  };
  private readonly sent = new Map<ControlAction, Sent>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly parts: CommandParts) {}

  all = (): Commands => this.states;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  /** Send a command under a new key; ignored while the same action is pending. */
  run = (action: ControlAction, body: ControlBody): void => {
    if (pending(this.states[action])) return;
    this.sent.set(action, { body, key: this.parts.newKey() });
    void this.deliver(action);
  };

  /** Send the last command of this action again under its own key: it cannot happen twice. */
  retry = (action: ControlAction): void => {
    if (!pending(this.states[action]) && this.sent.has(action)) void this.deliver(action);
  };

  dismiss = (action: ControlAction): void => this.move(action, { type: "clear" });

  /** The engine spoke: see which commands it has applied. */
  echo = (applied: readonly string[]): void => {
    for (const action of Object.keys(this.states) as ControlAction[]) {
      this.move(action, { type: "echo", applied, atMs: this.parts.nowMs() });
    }
  };

  private async deliver(action: ControlAction): Promise<void> {
    const sent = this.sent.get(action);
    if (sent === undefined) return;
    this.move(action, { type: "send", atMs: this.parts.nowMs() });
    const tries = action === "kill" ? KILL_TRIES : 1;
    for (let attempt = 1; attempt <= tries; attempt += 1) {
      const failure = await this.attempt(action, sent);
      if (failure === null) return;
      if (!failure.retry || attempt === tries) {
        this.move(action, { type: "fail", ...failure });
        return;
      }
      this.move(action, { type: "again" });
      await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
    }
  }

  private async attempt(
    action: ControlAction,
    sent: Sent,
  ): Promise<{ cause: string; retry: boolean } | null> {
    try {
      const id = await this.parts.send(action, sent.body, sent.key);
      if (id === null) {
        this.move(action, { type: "wait", atMs: this.parts.nowMs() });
        return null;
      }
      this.move(action, { type: "accept", id });
      // The echo may have overtaken the answer.
      this.move(action, { type: "echo", applied: this.parts.applied(), atMs: this.parts.nowMs() });
      return null;
    } catch (error) {
      return causeOf(error);
    }
  }

  private move(action: ControlAction, event: CommandEvent): void {
    const next = step(this.states[action], event);
    if (next === this.states[action]) return;
    // The action that moved last comes last, so the newest word is the last entry.
    const others = Object.entries(this.states).filter(([name]) => name !== action);
    this.states = Object.fromEntries([...others, [action, next]]) as Commands;
    if (next.phase === "confirmed" || next.phase === "waiting") setTimeout(() => this.settle(action, next), SHOWN_MS);
    for (const listener of this.listeners) listener();
  }

  private settle(action: ControlAction, shown: CommandState): void {
    if (this.states[action] === shown) this.move(action, { type: "clear" });
  }
}

/** A version 4 uuid that also works where `randomUUID` is missing. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [8, 12, 16, 20].reduceRight((id, at) => `${id.slice(0, at)}-${id.slice(at)}`, hex);
}
