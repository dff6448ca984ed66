/** Time from a venue's message to a decision: the last 15 minutes as a histogram. */
import { AgeBadge } from "@/components/age-badge";
import { LatencyHistogram } from "@/components/latency-histogram";
import { Card, Empty } from "@/components/ui/card";
import { useDesk } from "@/lib/live";
import { testId } from "@/lib/testids";

export function DetectionLatency() {
  const metrics = useDesk("metrics");
  const figures: [number | undefined, string][] = [
    [metrics?.signals, "signals"],
    [metrics?.opportunities, "opportunities"],
    [metrics?.duplicates, "duplicates"],
  ];
  return (
    <Card
      title="Detection latency"
      context={`tick to signal, 15\u00a0min`}
      aside={<AgeBadge atMs={metrics === undefined ? null : metrics.at_ns / 1e6} kind="metrics" />}
    >
      {metrics === undefined || metrics.tick_to_signal.count === 0 ? (
        <Empty>No signals in 15 min. The histogram fills with the first decision.</Empty>
      ) : (
        <LatencyHistogram histogram={metrics.tick_to_signal} />
      )}
      <footer className="flex flex-wrap justify-between gap-x-2 gap-y-1 border-t border-line px-3.5 py-3 text-caption text-text-3">
        {figures.map(([count, name]) => (
          <span
            key={name}
            data-testid={name === "opportunities" ? testId.opportunityCount : undefined}
            data-value={count ?? ""}
            className="whitespace-nowrap"
          >
            <span className="mr-1 font-semibold text-text-1">
              {count === undefined ? "—" : count.toLocaleString("en-US")}
            </span>
            {name}
          </span>
        ))}
      </footer>
    </Card>
  );
}
