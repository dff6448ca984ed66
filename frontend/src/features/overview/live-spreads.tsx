/** Live spreads: one line per asset with what is left after costs, for which size, and why. */
import { useState } from "react";

import { AgeBadge } from "@/components/age-badge";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { useDesk, useLive, useNow } from "@/lib/live";
import { testId } from "@/lib/testids";

import { useRowOrder } from "./row-order";
import { SpreadRow } from "./spread-row";

const HEADS = [
  ["Asset", ""],
  ["Buy / sell", ""],
  ["Kraken", "text-right max-lg:hidden"],
  ["Solana", "text-right max-lg:hidden"],
  ["Net edge, bps (gross / costs)", "pl-3"],
  ["Effective size (limited by)", ""],
  ["60 s", "text-right max-lg:hidden"],
  ["Data age", "text-right"],
  ["State", "text-right"],
] as const;

/** Bars share one scale, so rows compare; it only grows, so bars do not breathe. */
function useScale(assets: readonly string[]): number {
  const { store } = useLive().desk;
  useNow();
  const [held, setHeld] = useState(30);
  let top = held;
  for (const asset of assets) {
    const row = store.get(`spread:${asset}`)?.row;
    top = Math.max(top, (row?.cost_bps ?? 0) * 1.25, Math.min(row?.gross_bps ?? 0, 200) * 1.1);
  }
  if (top > held) setHeld(Math.ceil(top * 1.15));
  return held;
}

function Context({ assets }: { readonly assets: readonly string[] }) {
  const { store } = useLive().desk;
  useNow();
  if (assets.length === 0) return null;
  const armed = assets.filter((asset) => store.get(`spread:${asset}`)?.row.state === "armed").length;
  const blocked = assets.every((asset) => {
    const state = store.get(`spread:${asset}`)?.row.state;
    return state === "blocked" || state === "below_cost";
  });
  const count = assets.length === 1 ? "1 asset" : `${assets.length} assets`;
  return <>{`${count}, ${blocked && armed === 0 ? "none" : armed} armed`}</>;
}

function Rows({ assets }: { readonly assets: readonly string[] }) {
  const { order, hold } = useRowOrder(assets);
  const scale = useScale(assets);
  return (
    <div
      role="table"
      aria-label="Live spreads"
      data-testid={testId.spreadsTable}
      onPointerEnter={() => hold(true)}
      onPointerLeave={() => hold(false)}
      onFocus={() => hold(true)}
      onBlur={() => hold(false)}
      className="min-w-0 overflow-x-auto"
    >
      <div role="rowgroup" className="max-sm:sr-only">
        <div
          role="row"
          className="spread-grid min-h-7 border-b border-line px-3.5 text-caption text-text-3"
        >
          {HEADS.map(([head, className]) => (
            <span role="columnheader" key={head} className={`whitespace-nowrap ${className}`}>
              {head}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup">
        {order.map((asset) => (
          <SpreadRow key={asset} asset={asset} scaleBps={scale} />
        ))}
      </div>
    </div>
  );
}

export function LiveSpreads() {
  const assets = useDesk("assets");
  const published = useDesk("published")?.spreads;
  return (
    <Card
      title="Live spreads"
      context={<Context assets={assets ?? []} />}
      aside={
        <>
          <span className="flex items-center gap-1.5 max-sm:hidden">
            <span aria-hidden="true" className="h-2 w-2.5 rounded-bar bg-bin" />
            eaten by costs
          </span>
          <span className="flex items-center gap-1.5 max-sm:hidden">
            <span aria-hidden="true" className="h-2 w-2.5 rounded-bar bg-lime" />
            net edge
          </span>
          <AgeBadge atMs={published} kind="spreads" />
        </>
      }
    >
      {assets === undefined ? (
        <SkeletonRows rows={8} height={45} />
      ) : assets.length === 0 ? (
        <Empty>No assets enabled. An administrator adds one in the administration site.</Empty>
      ) : (
        <Rows assets={assets} />
      )}
    </Card>
  );
}
