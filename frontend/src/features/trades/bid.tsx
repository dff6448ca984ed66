/** What the swap bids to land, and how the two limits share the slack of the edge. */
import { Facts, SheetPart } from "@/components/ui/sheet";
import type { Intent } from "@/lib/api";
import * as format from "@/lib/format";
import { testId } from "@/lib/testids";

const SOURCE = { prior: "a prior", simulation: "by simulation", failure: "raised after a failure" } as const;
/** Fewer observations than this of a leg and the slack is shared evenly. */
const FEWEST = 20;

const whole = (count: number) => count.toLocaleString("en-US");

/** The compute-unit limit with what it was made from; a limit without samples is the prior. */
export function unitsWords(limit: NonNullable<Intent["compute"]>, decidedNs: number): string {
  const { units, source, samples, largest, at_ns: at } = limit;
  if (samples === 0) return `${whole(units)}, ${SOURCE[source]}`;
  const age = format.age(Math.max(0, decidedNs - at) / 1e6);
  return `${whole(units)}, ${SOURCE[source]}: ${samples} samples, most used ${whole(largest)}, ${age} before the decision`;
}

/** Which share of the slack each leg's limit got, and from how much movement. */
export function slackWords(slack: NonNullable<Intent["slack"]>): string {
  const { cex_share: share, trades, cex_bps: cex, dex_bps: dex } = slack;
  if (trades < FEWEST) return `50% each until ${FEWEST} trades, ${trades} so far`;
  const kraken = Number(share);
  return (
    `${format.percent(kraken)} Kraken, ${format.percent(1 - kraken)} pool ` +
    `(${trades} trades; moved ${format.bps(cex)} and ${format.bps(dex)} bps)`
  );
}

export function Bid({ intent }: { readonly intent: Intent }) {
  return (
    <SheetPart title="Bid to land" testId={testId.tradeBid}>
      <Facts
        rows={[
          ["Compute-unit price", `${whole(intent.cu_price_micro_lamports)} µlamports`],
          ["Tip", `${whole(intent.tip_lamports)} lamports`],
        ]}
      />
      <dl className="mt-1.5 flex flex-col gap-1.5">
        {intent.compute === undefined ? null : (
          <Line caption="Compute units">{unitsWords(intent.compute, intent.decided_ns)}</Line>
        )}
        {intent.slack === undefined ? null : <Line caption="Slack">{slackWords(intent.slack)}</Line>}
      </dl>
    </SheetPart>
  );
}

function Line({ caption, children }: { readonly caption: string; readonly children: string }) {
  return (
    <div className="flex gap-3">
      <dt className="shrink-0 text-caption text-text-3">{caption}</dt>
      <dd className="min-w-0 text-text-2">{children}</dd>
    </div>
  );
}
