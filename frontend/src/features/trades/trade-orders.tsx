/** What people ordered for a trade and what became of it; a second person approves here. */
import { useState } from "react";

import { ConfirmDialog } from "@/components/confirm-dialog";
import { Button } from "@/components/ui/button";
import { SheetPart } from "@/components/ui/sheet";
import { UtcTime } from "@/components/values";
import type { Resolution } from "@/lib/api";
import { useLive, useMayTrade, useSession } from "@/lib/live";
import { actNoun, orderWords } from "@/lib/resolving";
import { causeOf } from "@/lib/session";
import { testId } from "@/lib/testids";

export function TradeOrders({ orders, onApproved }: {
  readonly orders: readonly Resolution[];
  readonly onApproved: () => void;
}) {
  return (
    <SheetPart title="Ordered by people" testId={testId.tradeOrders}>
      <ol className="flex flex-col gap-2">
        {orders.map((order) => (
          <li key={order.id} className="border-b border-line pb-2 last:border-b-0">
            <div className="flex flex-wrap items-baseline gap-x-3">
              <span className="font-semibold">{actNoun(order.act)}</span>
              <span className="text-caption text-text-3">
                by {order.user}
                {order.approved_by === "" ? "" : `, approved by ${order.approved_by}`}
              </span>
              <UtcTime atMs={order.created_at_ns / 1e6} className="ml-auto text-text-3" />
            </div>
            <p
              role="status"
              data-testid={testId.orderState(order.id)}
              data-state={order.state}
              className={order.state === "refused" || order.state === "expired" ? "text-warn" : "text-text-2"}
            >
              {orderWords(order)}
            </p>
            {order.reason === "" ? null : <p className="text-caption text-text-3">{order.reason}</p>}
            {order.state === "waiting" ? <Approval order={order} onApproved={onApproved} /> : null}
          </li>
        ))}
      </ol>
    </SheetPart>
  );
}

function Approval({ order, onApproved }: { readonly order: Resolution; readonly onApproved: () => void }) {
  const { api } = useLive();
  const session = useSession();
  const may = useMayTrade();
  const [asking, setAsking] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const own = session.phase === "signed_in" && session.user.username === order.user;
  if (own || !may) {
    return (
      <p className="text-caption text-text-3">
        {own ? "Somebody else must approve what you ordered." : "Needs operator permission to approve."}
      </p>
    );
  }
  const approve = async (reason: string, code: string) => {
    try {
      await api.approve(order, { reason, code });
      setFailure(null);
    } catch (error) {
      setFailure(causeOf(error).cause);
    }
    onApproved();
  };
  return (
    <div className="mt-1 flex flex-wrap items-center gap-3">
      <Button data-testid={testId.approveOpen(order.id)} onClick={() => setAsking(true)}>
        Approve order
      </Button>
      {failure === null ? null : <p role="alert" className="text-warn">Not approved. {failure}</p>}
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Approve: ${actNoun(order.act).toLowerCase()}?`}
        verb="Approve order"
        leave="Close"
        testId={testId.approveDialog}
        confirmTestId={testId.approveConfirm}
        reasonTestId={testId.approveReason}
        withCode
        onConfirm={({ reason, code }) => void approve(reason, code ?? "")}
      >
        <p>
          {order.user} ordered it: {order.reason}. The engine takes it at once when you approve, and a
          sent order cannot be taken back.
        </p>
      </ConfirmDialog>
    </div>
  );
}
