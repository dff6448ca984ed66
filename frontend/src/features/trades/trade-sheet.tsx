/** Everything about one trade: why it was made, what came of it, and what is on record. */
import { SignedBars } from "@/components/signed-bars";
import { BookChip } from "@/components/book-chip";
import { Facts, Sheet, SheetPart } from "@/components/ui/sheet";
import { SkeletonRows } from "@/components/ui/card";
import { Direction, Money, Pnl, UtcTime } from "@/components/values";
import type { BoundQuote, Intent, TradeError, TradePicture } from "@/lib/api";
import { outcomeOf } from "@/lib/execution";
import * as format from "@/lib/format";
import type { Trade } from "@/lib/frames";
import { useDesk } from "@/lib/live";
import { useRead } from "@/lib/read";
import { directionEnds } from "@/lib/states";
import { testId } from "@/lib/testids";
import { limitWord } from "@/lib/words";
import {
  decisionTerms,
  errorTerms,
  mayStillLand,
  predictedTerms,
  verdictsOf,
} from "@/lib/trade-detail";

import { Bid } from "./bid";
import { LegOrder } from "./leg-order";
import { OperatorPanel, StopResending } from "./operator-panel";
import { ResidualVerdicts } from "./residual-verdicts";
import { TradeLegs } from "./trade-legs";
import { TradeOrders } from "./trade-orders";

const ORDERS_EVERY_MS = 1500;

export function TradeSheet({ id, stored, onClose }: {
  readonly id: string;
  /** The row as listed, where the stream does not have it. */
  readonly stored: Trade | undefined;
  readonly onClose: () => void;
}) {
  const live = useDesk("trades")?.find((trade) => trade.id === id) ?? stored;
  // A newer version of the row means that there is more to read.
  const again = live?.version ?? 0;
  const picture = useRead("/v1/trades/{trade_id}", { trade_id: id }, { again });
  const trade = live ?? picture.data?.trade;
  // Nobody is asked about a paper trade, and nothing of it is booked from a venue's record.
  const params = trade === undefined || trade.book === "paper" ? null : { trade_id: id };
  const error = useRead("/v1/trades/{trade_id}/prediction", params, { again });
  const asked = trade !== undefined && trade.state !== "closed";
  const orders = useRead("/v1/trades/{trade_id}/resolutions", params, {
    everyMs: asked ? ORDERS_EVERY_MS : 0,
  });
  return (
    <Sheet
      label="Trade"
      testId={testId.tradeSheet}
      closeTestId={testId.sheetClose}
      onClose={onClose}
      head={trade === undefined ? <h2 className="text-title font-semibold">Trade</h2> : <Head trade={trade} />}
    >
      {picture.error === null ? null : (
        <p role="alert" className="border-b border-line px-4 py-3 text-warn">
          {picture.error}{" "}
          <button type="button" className="underline underline-offset-2" onClick={picture.reload}>
            Read again
          </button>
        </p>
      )}
      {trade?.state === "operator" ? (
        <OperatorPanel
          trade={trade}
          verdict={picture.data === undefined ? undefined : verdictsOf(picture.data)[0]}
          orders={orders.data?.rows ?? []}
          onOrdered={orders.reload}
        />
      ) : null}
      {trade !== undefined && mayStillLand(trade) ? (
        <StopResending trade={trade} onOrdered={orders.reload} />
      ) : null}
      {orders.data === undefined || orders.data.rows.length === 0 ? null : (
        <TradeOrders orders={orders.data.rows} onApproved={orders.reload} />
      )}
      {trade?.book === "paper" ? <OnPaper trade={trade} fills={picture.data?.fills ?? []} /> : null}
      {picture.data === undefined ? (
        picture.error === null ? <SkeletonRows rows={8} height={40} /> : null
      ) : (
        <Body picture={picture.data} error={error.data} />
      )}
    </Sheet>
  );
}

function Head({ trade }: { readonly trade: Trade }) {
  const { words, abnormal } = outcomeOf(trade);
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="text-title font-semibold">{trade.asset}</h2>
        <Direction ends={directionEnds(trade.direction)} className="text-text-2" />
        <span className={abnormal ? "text-warn" : "text-text-2"}>{words}</span>
        <BookChip book={trade.book} />
      </div>
      <div className="mt-1 flex flex-wrap gap-x-3 text-caption text-text-3">
        <UtcTime atMs={trade.detect_at_ns / 1e6} />
        <span>
          {format.quantity(trade.size_base)} {trade.asset}
        </span>
        <Money value={trade.notional_usd} decimals={2} />
        <span title={trade.intent_key} className="font-mono text-micro">
          {format.shortId(trade.intent_key)}
        </span>
      </div>
    </>
  );
}

function OnPaper({ trade, fills }: {
  readonly trade: Trade;
  readonly fills: TradePicture["fills"];
}) {
  const { realised_pnl_usd: realised } = trade;
  return (
    <SheetPart title="On paper" testId={testId.tradePaper}>
      <p className="mb-2 text-text-2">Nothing was sent: a model of landing and latency filled it at live prices.</p>
      <Facts
        rows={[
          ["Realised", realised === null ? "not closed yet" : <Pnl key="realised" value={realised} decimals={4} />],
          ["Both filled", trade.both_filled_ms === null ? "never" : format.latency(trade.both_filled_ms)],
        ]}
      />
      {fills.length === 0 ? null : (
        <ul aria-label="Fills of the model" className="mt-2 flex flex-col gap-1 text-caption text-text-2">
          {fills.map((fill, index) => (
            <li key={index} className="flex flex-wrap gap-x-3 border-b border-line pb-1 last:border-b-0">
              <span className="font-medium text-text-1">{fill.venue}</span>
              <span>{format.quantity(fill.base_delta)} {trade.asset}</span>
              <span>{format.quantity(fill.quote_delta)} {fill.quote_asset}</span>
              <span>fee {format.quantity(fill.fee)} {fill.fee_asset}</span>
              <span className="ml-auto">+{format.latency((fill.at_ns - trade.detect_at_ns) / 1e6)}</span>
            </li>
          ))}
        </ul>
      )}
    </SheetPart>
  );
}

function Body({ picture, error }: { readonly picture: TradePicture; readonly error: TradeError | undefined }) {
  const { intent, quote } = picture;
  return (
    <>
      <Predicted intent={intent} />
      {picture.trade.book === "paper" ? null : <Realised error={error} />}
      <LegOrder verdict={intent.verdict} edgeBps={intent.net_bps} />
      {picture.trade.book === "paper" ? null : <TradeLegs picture={picture} />}
      {picture.verdicts.length === 0 ? null : <ResidualVerdicts verdicts={verdictsOf(picture)} asset={intent.asset} />}
      <Quote quote={quote} intent={intent} />
      <Bid intent={intent} />
      <Inputs intent={intent} />
    </>
  );
}

function Predicted({ intent }: { readonly intent: Intent }) {
  return (
      <SheetPart
        title="Predicted"
        testId={testId.tradePnl}
        aside={`needed ${format.usd(intent.min_pnl_usd, 4)} at the limits`}
      >
        <SignedBars
          label="Predicted result, term by term"
          rows={predictedTerms(intent.pnl)}
          sum={{ words: "Expected", usd: intent.pnl.expected }}
          decimals={4}
          bars={false}
        />
        <details className="mt-1">
          <summary className="min-h-6 cursor-pointer text-caption text-text-3">
            For the decision, {format.pnl(intent.pnl.decision_value, 4)}
          </summary>
          <SignedBars
            label="What the decision took off"
            rows={decisionTerms(intent.pnl)}
            sum={{ words: "Value for the decision", usd: intent.pnl.decision_value }}
            decimals={4}
            bars={false}
          />
        </details>
      </SheetPart>
  );
}

function Realised({ error }: { readonly error: TradeError | undefined }) {
  const causes = error?.causes ?? null;
  return (
      <SheetPart title="Realised against predicted" testId={testId.tradeError}>
        {error === undefined || error.realised_usd === null ? (
          <p className="text-text-3">Not booked yet: the venues&apos; own records decide.</p>
        ) : causes === null ? (
          <p className="text-text-2">
            Realised <Pnl value={error.realised_usd} decimals={4} />. Nothing was sent, so nothing was predicted of it.
          </p>
        ) : (
          <>
            <SignedBars
              label="Error of the prediction by cause"
              rows={errorTerms(causes)}
              sum={{ words: "Realised less expected", usd: causes.error_usd }}
              decimals={4}
            />
            <p className="mt-1 flex justify-between border-t border-line pt-2 font-semibold">
              <span>Realised</span>
              <Pnl value={error.realised_usd} decimals={4} />
            </p>
          </>
        )}
      </SheetPart>
  );
}

function Quote({ quote, intent }: { readonly quote: BoundQuote; readonly intent: Intent }) {
  const life = (quote.expires_ns - quote.at_ns) / 1e6;
  const raw = (units: number) => units.toLocaleString("en-US");
  const sells = quote.side === "sell";
  return (
    <SheetPart title="Bound quote" testId={testId.tradeQuote} aside={`binds ${format.latency(life)}`}>
      <Facts
        rows={[
          ["Source", quote.source === "pool" ? "The pool itself" : "Jupiter"],
          ["Slot", raw(quote.slot)],
          [sells ? "Sells, raw" : "Buys, raw", raw(quote.base_raw)],
          [sells ? "Brings, raw" : "Takes, raw", raw(quote.quote_raw)],
          [sells ? "At least, raw" : "At most, raw", raw(quote.threshold_raw)],
          ["Slippage cap", `${quote.slippage_cap_bps} bps`],
          ["Pool", <span key="pool" title={quote.pool} className="font-mono text-micro">{format.shortId(quote.pool)}</span>],
          ["Limited by", limitWord(intent.limited_by)],
        ]}
      />
      {quote.source === "jupiter" ? <RouteFacts quote={quote} /> : null}
    </SheetPart>
  );
}

function RouteFacts({ quote }: { readonly quote: BoundQuote }) {
  const asked = quote.asked_at_ns;
  return (
    <div data-testid={testId.tradeRoute} className="mt-3">
      <Facts
        rows={[
          ["Route", <span key="route" title={quote.route_id} className="font-mono text-micro">{format.shortId(quote.route_id)}</span>],
          ["Asked at, UTC", asked === null ? format.UNKNOWN : <UtcTime key="asked" atMs={asked / 1e6} />],
          ["Old at the decision", format.age(asked === null ? null : (quote.at_ns - asked) / 1e6)],
          ["Answer took", format.latency(quote.latency_ms)],
          ["Against the pool, bps", quote.delta_bps === null ? "the pool had no quote" : format.bps(quote.delta_bps, true)],
        ]}
      />
    </div>
  );
}

function Inputs({ intent }: { readonly intent: Intent }) {
  const { ages } = intent;
  return (
    <SheetPart
      title="Age of every input"
      aside={<>decided {format.latency((intent.decided_ns - intent.detect_ns) / 1e6)} after detection</>}
    >
      <Facts
        rows={[
          ["Last frame", format.age(ages.frame_ms)],
          ["Kraken book", format.age(ages.book_ms)],
          ["Pool", format.age(ages.pool_ms)],
          ["Slot lag", `${ages.slot_lag}`],
          ["Mark prices", format.age(ages.mark_ms)],
          ["Balances", format.age(ages.balances_ms)],
          ["Fees", format.age(ages.fees_ms)],
          ["Clock skew", ages.clock_skew_ms === null ? "not measured" : format.latency(ages.clock_skew_ms)],
          ["Configuration", `version ${intent.config_version}`],
        ]}
      />
    </SheetPart>
  );
}
