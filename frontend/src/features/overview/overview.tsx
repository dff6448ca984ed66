/** The first screen: how the day goes, what the market offers, what was done, what needs a person. */
import { CardBoundary } from "@/components/error-boundary";
import { testId } from "@/lib/testids";

import { AttentionList } from "./attention-list";
import { DetectionLatency } from "./detection-latency";
import { InventoryDrift } from "./inventory-drift";
import { KpiStrip } from "./kpi-strip";
import { LiveSpreads } from "./live-spreads";
import { RecentExecutions } from "./recent-executions";

export function Overview() {
  return (
    <div data-testid={testId.overview} className="grid grid-cols-12 gap-3">
      <h1 className="sr-only">Overview</h1>
      <div className="col-span-12">
        <CardBoundary name="Key figures">
          <KpiStrip />
        </CardBoundary>
      </div>
      <div className="col-span-12 grid min-w-0 xl:col-span-9">
        <CardBoundary name="Live spreads">
          <LiveSpreads />
        </CardBoundary>
      </div>
      <div className="col-span-12 grid min-w-0 xl:col-span-3">
        <CardBoundary name="Detection latency">
          <DetectionLatency />
        </CardBoundary>
      </div>
      <div className="col-span-12 grid min-w-0 lg:col-span-7 xl:col-span-5">
        <CardBoundary name="Recent executions">
          <RecentExecutions />
        </CardBoundary>
      </div>
      <div className="col-span-12 grid min-w-0 lg:col-span-5 xl:col-span-3">
        <CardBoundary name="Inventory drift">
          <InventoryDrift />
        </CardBoundary>
      </div>
      <div className="col-span-12 grid min-w-0 max-sm:order-first xl:col-span-4">
        <CardBoundary name="Needs attention">
          <AttentionList />
        </CardBoundary>
      </div>
    </div>
  );
}
