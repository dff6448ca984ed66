/**
 * The bridge from the live parts to React: one context, one hook per kind of value.
 *
 * Components re-render only for the keys they name; nothing here owns state.
 */
import { createContext, useCallback, useContext, useSyncExternalStore } from "react";

import type { Api } from "./api";
import type { CommandCentre } from "./commands";
import type { Desk, LiveValues } from "./desk";
import { allowed, type Session, type SessionState } from "./session";
import type { Ticker } from "./ticker";

export interface Live {
  readonly session: Session;
  readonly api: Api;
  readonly desk: Desk;
  readonly ticker: Ticker;
  readonly commands: CommandCentre;
}

export const LiveContext = createContext<Live | null>(null);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error("useLive needs a LiveContext");
  return live;
}

/** One value of the desk; undefined until the first frame that carries it. */
export function useDesk<K extends keyof LiveValues>(key: K): LiveValues[K] | undefined {
  const { store } = useLive().desk;
  const subscribe = useCallback((listener: () => void) => store.subscribe(key, listener), [store, key]);
  return useSyncExternalStore(subscribe, () => store.get(key));
}

/** Server-corrected unix ms, moving four times a second. */
export function useNow(): number {
  const { ticker } = useLive();
  return useSyncExternalStore(ticker.subscribe, ticker.now);
}

/** The age of an instant (server ms) at the last beat; null when there is none. */
export function useAge(atMs: number | null | undefined): number | null {
  const now = useNow();
  return atMs === null || atMs === undefined ? null : Math.max(0, now - atMs);
}

export function useSession(): SessionState {
  const { session } = useLive();
  return useSyncExternalStore(session.subscribe, session.state);
}

export function useCommands() {
  const { commands } = useLive();
  return useSyncExternalStore(commands.subscribe, commands.all);
}

function useMay(permission: "trade" | "admin"): boolean {
  const state = useSession();
  return state.phase === "signed_in" && allowed(state.user, permission);
}

/** Whether the person may command the engine; the server decides again at every call. */
export function useMayTrade(): boolean {
  return useMay("trade");
}

/** Whether the person may lift a halt. */
export function useMayReset(): boolean {
  return useMay("admin");
}
