/** The five assets furthest from their target split between the venues. */
import { TriangleAlert } from "lucide-react";

import { AgeBadge } from "@/components/age-badge";
import { DriftBar } from "@/components/drift-bar";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { useAge, useDesk } from "@/lib/live";
import { freshness } from "@/lib/states";
import { testId } from "@/lib/testids";

const SHOWN = 5;

export function InventoryDrift() {
  const inventory = useDesk("inventory");
  const atMs = inventory === undefined ? null : inventory.at_ns / 1e6;
  const stale = freshness("inventory", useAge(atMs)) === "stale";
  const rows = [...(inventory?.rows ?? [])]
    .sort((a, b) => Math.abs(b.drift_pct) - Math.abs(a.drift_pct))
    .slice(0, SHOWN);
  const limits = new Set(rows.map((row) => row.limit_pct));
  return (
    <Card
      title="Inventory drift"
      testId={testId.driftCard}
      context={limits.size === 1 ? `limit ±${String([...limits][0])}%` : "limit shown as a band"}
      aside={<AgeBadge atMs={atMs} kind="inventory" />}
    >
      {inventory === undefined ? (
        <SkeletonRows rows={SHOWN} height={46} />
      ) : rows.length === 0 ? (
        <Empty>No balances loaded yet. They are read from both venues every few seconds.</Empty>
      ) : (
        <ul className="flex flex-1 flex-col justify-around py-1.5">
          {rows.map((row) => {
            const over = Math.abs(row.drift_pct) > row.limit_pct;
            return (
              <li
                key={row.asset}
                data-testid={testId.driftRow(row.asset)}
                data-value={row.drift_pct}
                data-state={over ? "over" : "within"}
                title={`Kraken ${row.kraken}, Solana ${row.solana}; ${row.kraken_share_pct.toFixed(1)}% on Kraken; ${format.usd(row.total_usd)} in all`}
                className={cn(
                  "grid min-h-9 grid-cols-[60px_1fr_86px] items-center gap-3 px-3.5",
                  stale && "text-text-3",
                )}
              >
                <span className="font-semibold">{row.asset}</span>
                <DriftBar driftPct={row.drift_pct} limitPct={row.limit_pct} stale={stale} />
                <span
                  className={cn(
                    "flex items-center justify-end gap-1.5",
                    stale ? "" : over ? "font-semibold text-warn" : "text-text-2",
                  )}
                >
                  {over ? (
                    <TriangleAlert aria-label="Over its limit" size={13} strokeWidth={1.75} />
                  ) : null}
                  {format.signedPercent(row.drift_pct)}
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}
