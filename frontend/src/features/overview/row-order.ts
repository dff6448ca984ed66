/** The order of live rows: by net edge, re-sorted slowly and never under the pointer or focus. */
import { useEffect, useRef, useState } from "react";

import { useLive } from "@/lib/live";

const RESORT_MS = 2000;

/** Highest net first; unknown last; ties by name so that equal rows do not swap. */
export function byNet(
  assets: readonly string[],
  net: (asset: string) => number | null,
): readonly string[] {
  return [...assets].sort((a, b) => {
    const gap = (net(b) ?? -Infinity) - (net(a) ?? -Infinity);
    return Number.isNaN(gap) || gap === 0 ? a.localeCompare(b) : gap;
  });
}

export function useRowOrder(assets: readonly string[]) {
  const { store } = useLive().desk;
  const held = useRef(false);
  const [order, setOrder] = useState<readonly string[]>([]);
  useEffect(() => {
    const sort = () => {
      if (held.current) return;
      const next = byNet(assets, (asset) => store.get(`spread:${asset}`)?.row.net_bps ?? null);
      setOrder((now) => (now.join() === next.join() ? now : next));
    };
    const first = setTimeout(sort, 0);
    const timer = setInterval(sort, RESORT_MS);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [assets, store]);
  const shown = order.filter((asset) => assets.includes(asset));
  const missing = assets.filter((asset) => !shown.includes(asset));
  const hold = (on: boolean) => {
    held.current = on;
  };
  return { order: [...shown, ...missing], hold };
}
