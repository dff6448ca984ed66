/** The first screen: how the day goes, what the market offers, what was done, what needs a person. */
import type { ReactNode } from "react";

import { CardBoundary } from "@/components/error-boundary";
import { cn } from "@/lib/cn";
import { testId } from "@/lib/testids";

import { AttentionList } from "./attention-list";
import { DetectionLatency } from "./detection-latency";
import { InventoryDrift } from "./inventory-drift";
import { KpiStrip } from "./kpi-strip";
import { LiveSpreads } from "./live-spreads";
import { RecentExecutions } from "./recent-executions";

/** A place in the grid of twelve columns; a phone has its own order. */
function Cell({ name, className, children }: {
  readonly name: string;
  readonly className: string;
  readonly children: ReactNode;
}) {
  return (
    <div className={cn("col-span-12 grid min-w-0 max-sm:order-3", className)}>
      <CardBoundary name={name}>{children}</CardBoundary>
    </div>
  );
}

export function Overview() {
  return (
    <div data-testid={testId.overview} className="grid grid-cols-12 gap-3">
      <h1 className="sr-only">Overview</h1>
      <Cell name="Key figures" className="max-sm:order-1">
        <KpiStrip />
      </Cell>
      <Cell name="Live spreads" className="xl:col-span-9">
        <LiveSpreads />
      </Cell>
      <Cell name="Detection latency" className="lg:col-span-5 xl:col-span-3">
        <DetectionLatency />
      </Cell>
      <Cell name="Recent executions" className="lg:col-span-7 xl:col-span-5">
        <RecentExecutions />
      </Cell>
      <Cell name="Inventory drift" className="lg:col-span-5 xl:col-span-3">
        <InventoryDrift />
      </Cell>
      <Cell name="Needs attention" className="max-sm:order-2 lg:col-span-7 xl:col-span-4">
        <AttentionList />
      </Cell>
    </div>
  );
}
