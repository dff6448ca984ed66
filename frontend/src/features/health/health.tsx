/** Is everything the desk relies on in order: engine, venues, Jupiter, canaries, starts. */
import { CardBoundary } from "@/components/error-boundary";
import { ReadState } from "@/components/read-state";
import { Card, Empty } from "@/components/ui/card";
import { useRead } from "@/lib/read";
import { testId } from "@/lib/testids";

import { EngineFacts } from "./engine-facts";
import { InspectionCard } from "./inspection-card";
import { RouteTable } from "./route-table";
import { Starts } from "./starts";
import { VenueTable } from "./venue-table";

const EVERY_MS = 5_000;
/** Kinds that every desk is expected to have, in the order in which they are shown. */
const EXPECTED = ["canary", "preflight"] as const;

export function Health() {
  const read = useRead("/v1/health", {}, { everyMs: EVERY_MS });
  const found = read.data?.inspections ?? [];
  const others = found.filter((one) => !EXPECTED.some((kind) => kind === one.kind));
  return (
    <div data-testid={testId.healthScreen} className="flex flex-col gap-3">
      <h1 className="sr-only">Health</h1>
      <CardBoundary name="Engine">
        <EngineFacts />
      </CardBoundary>
      <CardBoundary name="Venues">
        <VenueTable />
      </CardBoundary>
      <CardBoundary name="Jupiter">
        <RouteTable />
      </CardBoundary>
      {read.data === undefined || read.error !== null ? (
        <Card title="Findings">
          <ReadState read={read} rows={6} />
        </Card>
      ) : null}
      {read.data === undefined ? null : (
        <>
          <div className="grid gap-3 xl:grid-cols-2">
            {EXPECTED.map((kind) => (
              <InspectionCard key={kind} kind={kind} found={found.find((one) => one.kind === kind)} />
            ))}
            {others.map((one) => (
              <InspectionCard key={one.kind} kind={one.kind} found={one} />
            ))}
          </div>
          <CardBoundary name="Starts of the engine">
            {read.data.starts.length === 0 ? (
              <Card title="Starts of the engine">
                <Empty>No engine has started on this database yet.</Empty>
              </Card>
            ) : (
              <Starts starts={read.data.starts} />
            )}
          </CardBoundary>
        </>
      )}
    </div>
  );
}
