/** Open alarms, then the ones that cleared last. */
import { Check, Info, OctagonPause, OctagonX, TriangleAlert } from "lucide-react";

import { AcknowledgeButton } from "@/components/acknowledge-button";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { cn } from "@/lib/cn";
import { reasonText } from "@/lib/banners";
import * as format from "@/lib/format";
import type { Incident } from "@/lib/frames";
import { useAge, useDesk, useNow } from "@/lib/live";
import { testId } from "@/lib/testids";
import { ruleWord } from "@/lib/words";

const SHOWN = 5;
const RANK: Record<Incident["priority"], number> = { critical: 0, warning: 1, notice: 2 };

/** Open before closed, worse before milder, newer before older. */
export function attentionOrder(incidents: readonly Incident[]): readonly Incident[] {
  const closed = (one: Incident) => (one.state === "closed" ? 1 : 0);
  const when = (one: Incident) => one.closed_at_ns ?? one.opened_at_ns;
  return [...incidents].sort(
    (a, b) =>
      closed(a) - closed(b) ||
      (closed(a) === 0 ? RANK[a.priority] - RANK[b.priority] : 0) ||
      when(b) - when(a),
  );
}

export function AttentionList() {
  const incidents = useDesk("incidents");
  const open = (incidents ?? []).filter((one) => one.state !== "closed").length;
  return (
    <Card
      title="Needs attention"
      testId={testId.attentionList}
      context={incidents === undefined ? "" : open === 0 ? "nothing open" : `${open} open`}
    >
      {incidents === undefined ? (
        <SkeletonRows rows={4} height={51} />
      ) : incidents.length === 0 ? (
        <Empty>Nothing needs attention. No alarm has been raised yet.</Empty>
      ) : (
        <ul>
          {attentionOrder(incidents)
            .slice(0, SHOWN)
            .map((one) => (
              <IncidentRow key={one.number} incident={one} />
            ))}
        </ul>
      )}
    </Card>
  );
}

function Mark({ incident }: { readonly incident: Incident }) {
  const icon = { "aria-hidden": true, size: 16, strokeWidth: 1.75 } as const;
  if (incident.state === "closed") return <Check {...icon} className="text-text-3" />;
  if (incident.priority === "critical") return <OctagonX {...icon} className="text-crit-text" />;
  if (incident.priority === "notice") return <Info {...icon} className="text-text-2" />;
  return /stale|pause/i.test(`${incident.rule} ${incident.text}`) ? (
    <OctagonPause {...icon} className="text-warn" />
  ) : (
    <TriangleAlert {...icon} className="text-warn" />
  );
}

function IncidentRow({ incident }: { readonly incident: Incident }) {
  const now = useNow();
  const age = useAge((incident.closed_at_ns ?? incident.opened_at_ns) / 1e6);
  const closed = incident.state === "closed";
  const subject = incident.asset === "*" || incident.asset === "" ? "Engine" : incident.asset;
  const opened = format.utcStamp(incident.opened_at_ns / 1e6, now).slice(0, -4);
  return (
    <li
      data-testid={testId.incident(incident.number)}
      data-state={incident.state}
      className="flex min-h-[51px] items-center gap-3 border-b border-line px-3.5 py-1.5 last:border-b-0"
    >
      <Mark incident={incident} />
      <span className="flex min-w-0 flex-1 flex-col">
        <span className={cn("line-clamp-2 font-medium", closed ? "text-text-2" : "text-text-1")} title={reasonText(incident)}>
          {subject}: {reasonText(incident)}
        </span>
        <span className="line-clamp-2 text-caption text-text-3">
          #{incident.number} {ruleWord(incident.rule)}
          {closed ? ", cleared" : incident.state === "acked" ? ", acknowledged" : ""} · opened {opened} UTC
        </span>
      </span>
      {incident.state === "open" ? (
        <AcknowledgeButton
          incident={incident.number}
          tone="plain"
          testId={testId.incidentAck(incident.number)}
        />
      ) : null}
      <span className="shrink-0 text-caption text-text-3">
        {age === null ? "" : format.roughAge(age)}
        {closed ? " ago" : ""}
      </span>
    </li>
  );
}
