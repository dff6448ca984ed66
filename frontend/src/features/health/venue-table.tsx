/** Every venue's feed in figures, each with its limit or its age. */
import { type Column, ListTable } from "@/components/list-table";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { Unknown } from "@/components/values";
import { VenueMark, venueName } from "@/components/venue-pill";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import type { VenueHealth } from "@/lib/frames";
import { useAge, useDesk } from "@/lib/live";
import { freshness } from "@/lib/states";
import { testId } from "@/lib/testids";

const COLUMNS: readonly Column<VenueHealth>[] = [
  {
    head: "Venue",
    cell: (row) => (
      <span className="inline-flex items-center gap-2">
        <VenueMark status={row.status} />
        <span className="font-semibold">{venueName(row.venue)}</span>
        <span className="text-text-2">{row.status}</span>
      </span>
    ),
  },
  {
    head: "Proof of life (limit)",
    right: true,
    cell: (row) => (
      <span className={cn(row.proof_age_ms !== null && row.proof_age_ms > row.limit_ms && "font-semibold text-warn")}>
        {row.proof_age_ms === null ? <Unknown why="Nothing heard yet" /> : format.age(row.proof_age_ms)}{" "}
        <span className="text-text-3">({format.age(row.limit_ms)})</span>
      </span>
    ),
  },
  {
    head: "Market data",
    right: true,
    cell: (row) =>
      row.data_age_ms === null ? <Unknown why="No market fact yet, or none from this venue" /> : format.age(row.data_age_ms),
  },
  {
    head: "Round trip",
    right: true,
    cell: (row) => (row.rtt_ms === null ? <Unknown why="Not measured yet" /> : format.latency(row.rtt_ms)),
  },
  {
    head: "Slot (lag)",
    right: true,
    cell: (row) =>
      row.slot === null ? (
        <Unknown why="Not a chain" />
      ) : (
        `${row.slot.toLocaleString("en-US")} (${row.slot_lag ?? "unknown"})`
      ),
  },
  { head: "Messages a second", right: true, cell: (row) => row.messages_per_s.toFixed(1) },
  { head: "Reconnects", right: true, cell: (row) => row.reconnects },
  { head: "Checksum failures", right: true, cell: (row) => row.checksum_failures },
  {
    head: "Endpoint",
    cell: (row) => <span className="font-mono text-micro text-text-2">{row.endpoint === "" ? "none" : row.endpoint}</span>,
  },
];

export function VenueTable() {
  const status = useDesk("status");
  const age = useAge(status === undefined ? null : status.beat_ns / 1e6);
  const state = freshness("status", age);
  return (
    <Card
      title="Venues"
      context="this run of the engine"
      aside={<span className={cn(state === "stale" && "text-warn")}>{age === null ? "" : `as of ${format.age(age)} ago`}</span>}
    >
      {status === undefined ? (
        <SkeletonRows rows={3} height={40} />
      ) : status.venues.length === 0 ? (
        <Empty>The engine has not named its venues yet.</Empty>
      ) : (
        <div className={cn(state === "stale" && "text-text-3 grayscale")}>
          <ListTable
            label="Venues"
            columns={COLUMNS}
            rows={status.venues}
            rowKey={(row) => row.venue}
            rowTestId={(row) => testId.venueRow(row.venue)}
            testId="venues-table"
          />
        </div>
      )}
    </Card>
  );
}
