/** A trade that waits for a person: what is left over, what it would cost, and what can be ordered. */
import { CircleStop, TriangleAlert } from "lucide-react";
import { useState } from "react";

import { ConfirmDialog } from "@/components/confirm-dialog";
import { Button } from "@/components/ui/button";
import type { Resolution } from "@/lib/api";
import * as format from "@/lib/format";
import type { Trade } from "@/lib/frames";
import { useMayTrade } from "@/lib/live";
import { isOpen } from "@/lib/resolving";
import { testId } from "@/lib/testids";
import type { Verdict } from "@/lib/trade-detail";

import { Ways } from "./residual-verdicts";
import { ResolveDialog } from "./resolve-dialog";
import { type Ordering, useOrder } from "./use-order";

const NEEDS = "Needs operator permission";

export function OperatorPanel({ trade, verdict, orders, onOrdered }: {
  readonly trade: Trade;
  readonly verdict: Verdict | undefined;
  readonly orders: readonly Resolution[];
  readonly onOrdered: () => void;
}) {
  const may = useMayTrade();
  const ordering = useOrder(trade.id, onOrdered);
  const [asking, setAsking] = useState(false);
  const open = orders.find((order) => isOpen(order) && order.act !== "preview");
  return (
    <section aria-label="Needs a person" data-testid={testId.tradeOperator} className="border-b border-crit-line bg-crit-soft px-4 py-3.5">
      <div className="flex items-start gap-2.5">
        <TriangleAlert aria-hidden="true" size={16} strokeWidth={1.75} className="mt-px shrink-0 text-crit-text" />
        <div className="min-w-0 flex-1">
          <h3 className="font-semibold text-crit-soft-text">
            Needs a person: {format.quantity(trade.residual_base)} {trade.asset} left over
          </h3>
          <p className="mt-0.5 text-text-1">{trade.reason === "" ? "No reason is on record." : `${trade.reason}.`}</p>
          {verdict === undefined || verdict.suggestion === "" ? null : (
            <>
              <p className="mt-1 text-text-1">
                <span className="font-semibold">Suggested: </span>
                {verdict.suggestion}.
              </p>
              <Ways ways={verdict.ways} chosen={verdict} />
            </>
          )}
        </div>
      </div>
      <div className="mt-3 flex flex-wrap items-center gap-3">
        <Button
          tone="danger"
          data-testid={testId.resolveOpen}
          disabled={!may || open !== undefined || ordering.busy}
          title={may ? undefined : NEEDS}
          onClick={() => setAsking(true)}
        >
          Resolve trade…
        </Button>
        {open === undefined ? null : <p className="text-text-2">An order is open; its answer comes first.</p>}
        <Failure ordering={ordering} />
      </div>
      <ResolveDialog
        open={asking}
        onOpenChange={setAsking}
        trade={trade}
        suggestion={verdict?.suggestion ?? ""}
        orders={orders}
        ordering={ordering}
      />
    </section>
  );
}

/** Why the last order was not taken, with a repeat where the server never got it. */
function Failure({ ordering }: { readonly ordering: Ordering }) {
  if (ordering.failure === null) return null;
  return (
    <p role="alert" className="flex items-center gap-3 text-warn">
      Not ordered. {ordering.failure}
      {ordering.again === null ? null : <Button onClick={ordering.again}>Retry</Button>}
    </p>
  );
}

/** For a swap that may still land: nothing can take it back, but it need not be sent again. */
export function StopResending({ trade, onOrdered }: {
  readonly trade: Trade;
  readonly onOrdered: () => void;
}) {
  const may = useMayTrade();
  const ordering = useOrder(trade.id, onOrdered);
  const [asking, setAsking] = useState(false);
  return (
    <div className="flex flex-wrap items-center gap-3 border-b border-line px-4 py-3">
      <p className="min-w-0 flex-1 text-text-2">A swap of this trade may still land.</p>
      <Button
        data-testid={testId.stopResending}
        disabled={!may || ordering.busy}
        title={may ? undefined : NEEDS}
        onClick={() => setAsking(true)}
      >
        <CircleStop aria-hidden="true" size={16} strokeWidth={1.75} />
        Stop re-sending…
      </Button>
      <Failure ordering={ordering} />
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title="Stop re-sending the swap?"
        verb="Stop re-sending"
        leave="Keep re-sending"
        tone="dangerSolid"
        testId={testId.stopDialog}
        confirmTestId={testId.stopConfirm}
        reasonTestId={testId.stopReason}
        withCode
        onConfirm={({ reason, code }) =>
          ordering.send({ act: "stop_resending", reason, ...(code === undefined ? {} : { code }) })
        }
      >
        <p>The engine sends this swap to no node again. What is already out may still land until its last valid height; nothing can take it back.</p>
        <p>The trade is hedged by what the chain then says.</p>
      </ConfirmDialog>
    </div>
  );
}
