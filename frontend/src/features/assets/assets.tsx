/** What each asset may do: its mode with the commands that change it, its settings, what waits. */
import { CardBoundary } from "@/components/error-boundary";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import type { AssetConfig, Control } from "@/lib/api";
import * as format from "@/lib/format";
import { useAge, useDesk } from "@/lib/live";
import { useRead } from "@/lib/read";
import { testId } from "@/lib/testids";

import { Approvals } from "./approvals";
import { DeskLimits } from "./desk-limits";
import { ModeRow } from "./mode-row";
import { Settings } from "./settings";
import { type ConfigRead, useConfigs } from "./use-configs";

const CONTROLS_EVERY_MS = 5000;

export function Assets() {
  const streamed = useDesk("assets");
  const version = useDesk("status")?.control_version ?? 0;
  // The database knows the assets also while no engine speaks: approving must not need one.
  const stored = useRead("/v1/status", {}, { everyMs: CONTROLS_EVERY_MS, again: version });
  const controls = stored.data?.controls;
  const known = streamed !== undefined || controls !== undefined;
  const scopes = (controls ?? []).map((row) => row.scope).filter((scope) => scope !== "*");
  const names = [...new Set([...(streamed ?? []), ...scopes])].sort();
  const read = useConfigs(known ? names : null);
  return (
    <div data-testid={testId.assetsScreen} className="flex flex-col gap-3">
      <h1 className="sr-only">Assets</h1>
      <CardBoundary name="Modes">
        <Modes assets={known ? names : undefined} controls={controls ?? []} />
      </CardBoundary>
      <CardBoundary name="Desk's limits">
        <DeskLimits />
      </CardBoundary>
      <CardBoundary name="Waiting for approval">
        <Approvals read={read} />
      </CardBoundary>
      <CardBoundary name="Settings">
        <InForce read={read} />
      </CardBoundary>
    </div>
  );
}

function Modes({ assets, controls }: {
  readonly assets: readonly string[] | undefined;
  readonly controls: readonly Control[];
}) {
  const status = useDesk("status");
  const beat = useAge(status === undefined ? null : status.beat_ns / 1e6);
  return (
    <Card
      title="Modes"
      context="the strictest of the desk's, the asset's own and its settings' is in force"
      aside={status === undefined ? "" : `engine said so ${format.age(beat)} ago`}
    >
      {status === undefined ? (
        <Empty>The engine has not been heard yet. Its modes appear with its first word.</Empty>
      ) : assets === undefined ? (
        <SkeletonRows rows={4} height={48} />
      ) : (
        <ul>
          {["*", ...assets].map((scope) => (
            <ModeRow
              key={scope}
              scope={scope}
              status={status}
              control={controls.find((row) => row.scope === scope)}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}

function InForce({ read }: { readonly read: ConfigRead }) {
  const { configs, error } = read;
  return (
    <Card title="Settings in force" context="tighter changes are in force at once, looser ones wait for approval">
      {error === null ? null : (
        <p role="alert" className="border-b border-line px-3.5 py-2.5 text-warn">
          {error}
        </p>
      )}
      {configs !== undefined && configs.length > 0 ? (
        <Settings configs={configs.map((one: AssetConfig) => one.in_force)} />
      ) : configs !== undefined ? (
        <Empty>No assets are traded here. `manage.py sync_markets` reads markets into the database.</Empty>
      ) : error === null ? (
        <SkeletonRows rows={3} height={40} />
      ) : null}
    </Card>
  );
}
