/** The limits all shards share, how much of them is used, and the most that could be lost at once. */
import { ReadState } from "@/components/read-state";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/sheet";
import { Money, UtcTime } from "@/components/values";
import type { DeskRisk } from "@/lib/api";
import * as format from "@/lib/format";
import { useAge } from "@/lib/live";
import { useRead } from "@/lib/read";
import { testId } from "@/lib/testids";

const EVERY_MS = 5000;

export function DeskLimits() {
  const read = useRead("/v1/risk", {}, { everyMs: EVERY_MS });
  const age = useAge(read.data === undefined ? null : read.data.at_ns / 1e6);
  return (
    <Card
      title="Desk's limits"
      testId={testId.deskLimits}
      context="over all assets and shards"
      aside={age === null ? "" : `read ${format.age(age)} ago`}
    >
      <ReadState read={read} rows={2} />
      {read.data === undefined ? null : <Limits risk={read.data} />}
    </Card>
  );
}

function Limits({ risk }: { readonly risk: DeskRisk }) {
  const { limits, worst_case: worst } = risk;
  return (
    <div className="px-3.5 py-3">
      <Facts
        rows={[
          ["Open notional, of its limit", <Used key="open" used={risk.open_usd} limit={limits.max_open_usd} />],
          ["Today, of its limit", <Used key="day" used={risk.day_usd} limit={limits.daily_notional_cap_usd} />],
          ["SOL kept for fees", `${limits.fee_floor_sol} SOL`],
          ["Worst case with all limits open", <Money key="worst" value={worst.usd} decimals={2} className="font-semibold" />],
          ["Worst case with what is open now", <Money key="now" value={worst.now_usd} decimals={2} />],
          [
            "In force since, UTC",
            limits.in_force_at_ns === null ? (
              "the first start"
            ) : (
              <span key="since">
                version {limits.version}, <UtcTime atMs={limits.in_force_at_ns / 1e6} />
              </span>
            ),
          ],
        ]}
      />
      <p className="mt-2 text-caption text-text-3">
        Worst case: {worst.concurrent_trades} trades at once, {format.usd(worst.notional_usd)} bounded by the{" "}
        {worst.bound_by === "assets" ? "assets' own limits" : "desk's open notional"}, moving{" "}
        {format.bps(worst.adverse_bps)} bps against us ({worst.sigmas} sigma at {worst.volatility_pct_year}% a year) in
        the {worst.proof_s.toFixed(1)} s that proof takes, {worst.proof_source === "measured" ? "as measured" : "by the model"}.
      </p>
    </div>
  );
}

function Used({ used, limit }: { readonly used: string; readonly limit: string }) {
  return (
    <>
      <Money value={used} /> <span className="text-text-3">of</span> <Money value={limit} />
    </>
  );
}
