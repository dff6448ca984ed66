/** Every attempt of a trade with its times, its fills and what is proven about it. */
import type { ReactNode } from "react";

import { SheetPart } from "@/components/ui/sheet";
import { Money, UtcTime } from "@/components/values";
import type { TradePicture } from "@/lib/api";
import { filledShare } from "@/lib/execution";
import * as format from "@/lib/format";
import type { Leg } from "@/lib/frames";
import { testId } from "@/lib/testids";
import { type Evidence, evidenceOf } from "@/lib/trade-detail";

const LEG_WORD: Record<Leg["leg"], string> = { cex: "Kraken leg", dex: "Solana leg", hedge: "Hedge" };

export function TradeLegs({ picture }: { readonly picture: TradePicture }) {
  const evidence = new Map(picture.attempts.map((one) => [`${one.leg}#${one.seq}`, one]));
  return (
    <SheetPart title="Legs" aside={`${picture.fills.length} fills on record`}>
      <ul className="flex flex-col gap-3">
        {picture.trade.legs.map((leg) => {
          const attempt = evidence.get(`${leg.leg}#${leg.seq}`);
          return (
            <Attempt
              key={`${leg.leg}#${leg.seq}`}
              leg={leg}
              detectNs={picture.trade.detect_at_ns}
              evidence={attempt === undefined ? [] : evidenceOf(attempt)}
              booked={attempt?.is_booked ?? false}
            />
          );
        })}
      </ul>
    </SheetPart>
  );
}

function Attempt({ leg, detectNs, evidence, booked }: {
  readonly leg: Leg;
  readonly detectNs: number;
  readonly evidence: readonly Evidence[];
  readonly booked: boolean;
}) {
  const after = (ns: number | null) => (ns === null ? format.UNKNOWN : `+${format.latency((ns - detectNs) / 1e6)}`);
  return (
    <li data-testid={testId.tradeLeg(leg.leg, leg.seq)} data-state={leg.state} className="rounded-control border border-line px-3 py-2">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <span className="font-semibold">
          {LEG_WORD[leg.leg]}
          {leg.seq > 1 || leg.leg === "hedge" ? ` ${leg.seq}` : ""}
        </span>
        <span className="text-text-2">
          {leg.side} {format.quantity(leg.qty)} on {leg.venue}
        </span>
        <span className="ml-auto text-text-2">{leg.state}</span>
      </div>
      <dl className="mt-1.5 flex flex-wrap gap-x-4 gap-y-1 text-caption text-text-2">
        <Fact caption="Filled">{`${format.quantity(leg.filled)} (${format.percent(filledShare(leg))})`}</Fact>
        <Fact caption="Price">{format.price(leg.price)}</Fact>
        <Fact caption="Fee">
          <Money value={leg.fee_usd} decimals={4} />
        </Fact>
        <Fact caption="Sent">{after(leg.sent_at_ns)}</Fact>
        <Fact caption="Acknowledged">{after(leg.acked_at_ns)}</Fact>
        <Fact caption="Filled at">{after(leg.filled_at_ns)}</Fact>
        <Fact caption="Record">
          <span title={leg.reference} className="font-mono text-micro">
            {leg.reference === "" ? "none yet" : format.shortId(leg.reference)}
          </span>
        </Fact>
        <Fact caption="Books">{bookWords(booked, leg.sent_at_ns !== null)}</Fact>
      </dl>
      {evidence.length === 0 ? null : <EvidenceList evidence={evidence} />}
    </li>
  );
}

/** An attempt that never left has no record to book. */
function bookWords(booked: boolean, sent: boolean): string {
  if (!booked) return "not booked yet";
  return sent ? "booked from the venue's record" : "nothing to book, never sent";
}

function Fact({ caption, children }: { readonly caption: string; readonly children: ReactNode }) {
  return (
    <div className="flex gap-1.5">
      <dt className="text-text-3">{caption}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function EvidenceList({ evidence }: { readonly evidence: readonly Evidence[] }) {
  return (
    <details className="mt-1.5">
      <summary className="min-h-6 cursor-pointer text-caption text-text-3">
        Evidence, {evidence.length} {evidence.length === 1 ? "entry" : "entries"}
      </summary>
      <ol className="mt-1 flex flex-col gap-1.5 border-l border-line-2 pl-3 text-caption">
        {evidence.map((entry, index) => (
          <li key={index}>
            <span className="flex flex-wrap gap-x-2">
              {entry.atMs === null ? null : <UtcTime atMs={entry.atMs} className="text-text-3" />}
              <span className="font-medium">{entry.what}</span>
            </span>
            {entry.answer === "" ? null : <span className="break-words text-text-2">{entry.answer}</span>}
          </li>
        ))}
      </ol>
    </details>
  );
}
