/** The engine as it last spoke: mode, beat, age of the process, versions in force. */
import type { ReactNode } from "react";

import { ModeChip } from "@/components/mode-chip";
import { Card, SkeletonRows } from "@/components/ui/card";
import { Money, UtcTime } from "@/components/values";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { useDesk, useNow } from "@/lib/live";
import { BEAT_LIMIT_MS } from "@/lib/states";

export function EngineFacts() {
  const status = useDesk("status");
  const now = useNow();
  if (status === undefined) {
    return (
      <Card title="Engine">
        <SkeletonRows rows={2} height={40} />
      </Card>
    );
  }
  const beat = Math.max(0, now - status.beat_ns / 1e6);
  const silent = beat > BEAT_LIMIT_MS;
  const started = status.started_at_ns / 1e6;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["Mode", <ModeChip key="mode" mode={status.mode} />],
    ["Running for", <span key="up" title={new Date(started).toISOString()}>{format.roughAge(Math.max(0, now - started))}</span>],
    ["Started, UTC", <UtcTime key="started" atMs={started} />],
    ["Epoch", status.epoch],
    ["Controls", `version ${status.control_version}`],
    ["Settings", `version ${status.config_version}`],
    ["Open trades", status.open_trades],
    ["Unhedged", <Money key="unhedged" value={status.unhedged_usd} decimals={2} />],
    ["Profile", status.profile],
  ];
  return (
    <Card
      title="Engine"
      context={silent ? "as it last spoke" : ""}
      aside={<span className={cn(silent && "font-semibold text-warn")}>beat {format.age(beat)} ago</span>}
    >
      <dl className={cn("grid grid-cols-[repeat(auto-fit,minmax(104px,1fr))] gap-x-4 gap-y-3 px-3.5 py-3", silent && "text-text-3 grayscale")}>
        {facts.map(([caption, value]) => (
          <div key={caption} className="flex min-w-0 flex-col gap-1">
            <dt className="text-caption text-text-3">{caption}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
