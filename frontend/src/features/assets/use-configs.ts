/** The configurations of several assets, read together and again after each decision. */
import { useCallback, useEffect, useState } from "react";

import type { AssetConfig } from "@/lib/api";
import { useLive } from "@/lib/live";
import { causeOf } from "@/lib/session";

const EVERY_MS = 10_000;

export interface ConfigRead {
  /** The last good answer. */
  readonly configs: readonly AssetConfig[] | undefined;
  readonly error: string | null;
  readonly reload: () => void;
}

/** Null while the assets are not known. */
export function useConfigs(assets: readonly string[] | null): ConfigRead {
  const { api } = useLive();
  const asked = assets === null ? null : assets.join(",");
  const [held, setHeld] = useState<Omit<ConfigRead, "reload">>({ configs: undefined, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (asked === null) return undefined;
    let over = false;
    const names = asked === "" ? [] : asked.split(",");
    const load = async () => {
      try {
        const configs = await Promise.all(names.map((asset) => api.read("/v1/config/{asset}", { asset })));
        if (!over) setHeld({ configs, error: null });
      } catch (error) {
        const { cause } = causeOf(error);
        if (!over) setHeld((before) => ({ ...before, error: `Settings were not read. ${cause}` }));
      }
    };
    void load();
    const timer = setInterval(() => void load(), EVERY_MS);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [api, asked, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { ...held, reload };
}
