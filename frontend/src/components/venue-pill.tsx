/** One venue: is it alive, how old is its data, how far away is it. Opens its details. */
import { CircleAlert, Clock, Unplug, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import type { VenueHealth } from "@/lib/frames";
import { useDesk, useNow } from "@/lib/live";
import { freshness } from "@/lib/states";
import { testId } from "@/lib/testids";

import { Popover } from "./ui/popover";

const TONE: Record<VenueHealth["status"], string> = {
  healthy: "border-line-2",
  degraded: "border-warn",
  stale: "stripes-warn-fine border-warn-line",
  down: "border-crit-text",
  standby: "border-line",
};

/** The sign of a venue's health: an icon where it is not well. */
export function VenueMark({ status }: { readonly status: VenueHealth["status"] }) {
  const icon = { "aria-hidden": true, size: 13, strokeWidth: 1.75 } as const;
  if (status === "degraded") return <TriangleAlert {...icon} className="text-warn" />;
  if (status === "stale") return <Clock {...icon} className="text-warn" />;
  if (status === "down") return <Unplug {...icon} className="text-crit-text" />;
  return (
    <span
      aria-hidden="true"
      className={cn(
        "size-[7px] rounded-full",
        status === "standby" ? "border border-text-3" : "bg-gain",
      )}
    />
  );
}

export function venueName(venue: string): string {
  return venue.charAt(0).toUpperCase() + venue.slice(1);
}

/** The age to show: the engine's own figure while its word is fresh, growing when it is not. */
function shownAge(venue: VenueHealth, sinceMs: number): number | null {
  const stale = venue.status === "stale" || venue.status === "down";
  const base = stale ? (venue.proof_age_ms ?? venue.data_age_ms) : venue.data_age_ms;
  if (base === null) return null;
  return freshness("status", sinceMs) === "fresh" ? base : base + sinceMs;
}

export function VenuePill({ venue }: { readonly venue: VenueHealth }) {
  const status = useDesk("status");
  const now = useNow();
  const since = status === undefined ? 0 : Math.max(0, now - status.beat_ns / 1e6);
  const unheard = freshness("status", since) === "stale";
  const age = shownAge(venue, since);
  const solana = venue.slot_lag !== null;
  return (
    <Popover
      label={`${venueName(venue.venue)} details`}
      trigger={
        <button
          type="button"
          data-testid={testId.venuePill(venue.venue)}
          data-state={venue.status}
          className={cn(
            "flex h-8 items-center gap-1.5 rounded-control border bg-surface-1 px-2.5 text-caption whitespace-nowrap text-text-2 transition-colors duration-[120ms] hover:bg-surface-3 max-xl:px-2.5 max-sm:h-9",
            TONE[venue.status],
            unheard && "border-dashed text-text-3",
          )}
        >
          <VenueMark status={unheard ? "standby" : venue.status} />
          <span className={cn("font-semibold", unheard ? "text-text-3" : "text-text-1")}>
            {venueName(venue.venue)}
          </span>
          <span
            data-testid={testId.venueAge(venue.venue)}
            data-age-ms={age === null ? "" : Math.round(age)}
            data-value={solana ? String(venue.slot_lag) : undefined}
            className={cn(
              venue.status === "stale" && "font-semibold text-warn",
              venue.status === "standby" && "@max-[35rem]/venues:sr-only",
            )}
          >
            {pillFigure(venue, age)}
          </span>
          {venue.rtt_ms === null || venue.status === "standby" || unheard ? null : (
            <span
              data-testid={testId.venueRtt(venue.venue)}
              data-value={venue.rtt_ms}
              className="text-text-3 max-xl:hidden @max-[37rem]/venues:hidden"
            >
              RTT {format.latency(venue.rtt_ms)}
            </span>
          )}
        </button>
      }
    >
      <VenueDetails venue={venue} />
    </Popover>
  );
}

function pillFigure(venue: VenueHealth, age: number | null): string {
  if (venue.status === "standby" || venue.status === "down") return venue.status;
  if (venue.status !== "stale" && venue.slot_lag !== null) return `slot lag ${venue.slot_lag}`;
  return age === null ? "no data yet" : `age ${format.age(age)}`;
}

function Row({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div className="flex justify-between gap-4 py-1">
      <dt className="text-text-3">{label}</dt>
      <dd className="text-right break-all text-text-1">{children}</dd>
    </div>
  );
}

function VenueDetails({ venue }: { readonly venue: VenueHealth }) {
  return (
    <div>
      <p className="mb-1 flex items-center gap-2 font-semibold">
        <VenueMark status={venue.status} />
        {venueName(venue.venue)} {venue.status}
      </p>
      <dl className="text-caption">
        <Row label="Proof of life">
          {format.age(venue.proof_age_ms)} (limit {format.age(venue.limit_ms)})
        </Row>
        <Row label="Data age">{format.age(venue.data_age_ms)}</Row>
        <Row label="Round trip">{format.latency(venue.rtt_ms)}</Row>
        <Row label="Messages">{venue.messages_per_s.toFixed(1)} per s</Row>
        <Row label="Reconnects">{venue.reconnects}</Row>
        <Row label="Book checksum failures">{venue.checksum_failures}</Row>
        {venue.slot === null ? null : <Row label="Slot">{venue.slot.toLocaleString("en-US")}</Row>}
        {venue.slot_lag === null ? null : <Row label="Slot lag">{venue.slot_lag}</Row>}
        <Row label="Endpoint">
          <span className="font-mono text-micro">{venue.endpoint === "" ? "none" : venue.endpoint}</span>
        </Row>
      </dl>
      {venue.status === "down" ? (
        <p className="mt-2 flex gap-2 text-caption text-text-2">
          <CircleAlert aria-hidden="true" size={13} className="mt-0.5 shrink-0" />
          The engine reconnects by itself.
        </p>
      ) : null}
    </div>
  );
}
