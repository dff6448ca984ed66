/** Reads over HTTP as React sees them: the last good answer, and why the last try failed. */
import { useCallback, useEffect, useState } from "react";

import { addressOf, type Answer, type Params, type ReadPath } from "./api";
import { useLive } from "./live";
import { causeOf } from "./session";

export interface Read<T> {
  /** The last good answer, also while a newer try fails. */
  readonly data: T | undefined;
  readonly error: string | null;
  readonly reload: () => void;
}

interface Held<T> {
  readonly address: string | null;
  readonly data?: T;
  readonly error: string | null;
}

interface When {
  /** Ask again this often, ms; 0 asks once. */
  readonly everyMs?: number;
  /** Ask again whenever this changes. */
  readonly again?: string | number;
}

/** Read an address; null params read nothing. Another address starts from nothing. */
export function useRead<P extends ReadPath>(path: P, params: Params | null, when: When = {}): Read<Answer<P>> {
  const { everyMs = 0, again = 0 } = when;
  const { api } = useLive();
  const address = params === null ? null : addressOf(path, params);
  const asked = params === null ? null : JSON.stringify(params);
  const [held, setHeld] = useState<Held<Answer<P>>>({ address: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (address === null || asked === null) return undefined;
    let over = false;
    const load = async () => {
      try {
        const data = await api.read(path, JSON.parse(asked) as Params);
        if (!over) setHeld({ address, data, error: null });
      } catch (error) {
        const { cause } = causeOf(error);
        if (!over) setHeld((before) => ({ ...(before.address === address ? before : {}), address, error: cause }));
      }
    };
    void load();
    const timer = everyMs > 0 ? setInterval(() => void load(), everyMs) : undefined;
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [api, path, address, asked, everyMs, again, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const mine = held.address === address && address !== null;
  return { data: mine ? held.data : undefined, error: mine ? held.error : null, reload };
}
