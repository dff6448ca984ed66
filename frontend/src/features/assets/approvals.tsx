/** Changes that wait: what they would change, who asked, and the yes or no of an administrator. */
import { ArrowUp } from "lucide-react";
import { useState } from "react";

import { ConfirmDialog } from "@/components/confirm-dialog";
import { Button } from "@/components/ui/button";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { UtcTime } from "@/components/values";
import type { ConfigProposal } from "@/lib/api";
import * as format from "@/lib/format";
import { useLive, useMayReset, useNow, useSession } from "@/lib/live";
import { causeOf } from "@/lib/session";
import { testId } from "@/lib/testids";
import { spelled } from "@/lib/words";

import type { ConfigRead } from "./use-configs";

export function Approvals({ read }: { readonly read: ConfigRead }) {
  const waiting = (read.configs ?? []).flatMap((config) => config.proposals);
  return (
    <Card
      title="Waiting for approval"
      testId={testId.approvals}
      context={waiting.length === 0 ? "" : `${waiting.length} of settings`}
    >
      {read.configs === undefined ? (
        <SkeletonRows rows={1} height={48} />
      ) : waiting.length === 0 ? (
        <Empty>Nothing waits. Looser settings and proposed haircuts appear here.</Empty>
      ) : (
        <ul>
          {waiting.map((proposal) => (
            <Waiting
              key={`${proposal.config.asset}-${proposal.config.version}`}
              proposal={proposal}
              onDecided={read.reload}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Waiting({ proposal, onDecided }: {
  readonly proposal: ConfigProposal;
  readonly onDecided: () => void;
}) {
  const { config, changes, approved_by: approved, approvals_needed: needed } = proposal;
  const now = useNow();
  return (
    <li
      data-testid={testId.proposal(config.asset, config.version)}
      className="flex flex-wrap items-start gap-x-6 gap-y-2 border-b border-line px-3.5 py-3 last:border-b-0"
    >
      <div className="min-w-0 flex-1 max-sm:basis-full">
        <p className="flex flex-wrap items-baseline gap-x-3">
          <span className="font-semibold">
            {config.asset} version {config.version}
          </span>
          <span className="text-caption text-text-3">
            asked for by {config.created_by} {format.roughAge(Math.max(0, now - config.created_at_ns / 1e6))} ago
          </span>
          <UtcTime atMs={config.created_at_ns / 1e6} className="text-text-3" />
        </p>
        <Changes changes={changes} />
        <p className="text-caption text-text-3">{config.reason}</p>
      </div>
      <div className="flex flex-col items-end gap-1.5 max-sm:basis-full max-sm:items-start">
        <span className="text-caption text-text-2">
          {approved.length} of {needed} {needed === 1 ? "approval" : "approvals"}
          {approved.length === 0 ? "" : `: ${approved.join(", ")}`}
        </span>
        <Decision proposal={proposal} onDecided={onDecided} />
      </div>
    </li>
  );
}

function Changes({ changes }: { readonly changes: ConfigProposal["changes"] }) {
  return (
    <ul className="my-1 flex flex-col gap-0.5">
      {changes.map((change) => (
        <li key={change.field} className="flex flex-wrap items-center gap-x-2">
          <span className="text-text-2">{spelled(change.field)}</span>
          <span>
            {change.before} → <span className="font-semibold">{change.after}</span>
          </span>
          {change.is_looser ? (
            <span className="inline-flex items-center gap-1 text-caption text-warn">
              <ArrowUp aria-hidden="true" size={12} strokeWidth={1.75} />
              looser
            </span>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

function Decision({ proposal, onDecided }: {
  readonly proposal: ConfigProposal;
  readonly onDecided: () => void;
}) {
  const { api } = useLive();
  const session = useSession();
  const may = useMayReset();
  const [asking, setAsking] = useState<"approve" | "reject" | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const { config, approvals_needed: needed, approved_by: approved } = proposal;
  const name = session.phase === "signed_in" ? session.user.username : "";
  const own = needed > 1 && name === config.created_by;
  const decide = async (decision: "approve" | "reject", reason: string) => {
    try {
      await api.decide(config, decision, reason);
      setFailure(null);
    } catch (error) {
      setFailure(causeOf(error).cause);
    }
    onDecided();
  };
  if (!may) return <p className="text-caption text-text-3">Needs administrator permission.</p>;
  const verb = asking === "reject" ? "Reject change" : "Approve change";
  return (
    <>
      <span className="flex gap-2">
        <Button data-testid={testId.proposalReject(config.asset, config.version)} onClick={() => setAsking("reject")}>
          Reject change…
        </Button>
        <Button
          disabled={own || approved.includes(name)}
          title={own ? "Somebody else must approve what you proposed" : undefined}
          data-testid={testId.proposalApprove(config.asset, config.version)}
          onClick={() => setAsking("approve")}
        >
          Approve change…
        </Button>
      </span>
      {own ? <p className="text-caption text-text-3">Somebody else must approve what you proposed.</p> : null}
      {failure === null ? null : <p role="alert" className="text-warn">Not decided. {failure}</p>}
      <ConfirmDialog
        open={asking !== null}
        onOpenChange={(open) => setAsking(open ? asking : null)}
        title={`${verb} of ${config.asset}?`}
        verb={verb}
        testId={testId.decideDialog}
        confirmTestId={testId.decideConfirm}
        reasonTestId={testId.decideReason}
        onConfirm={({ reason }) => {
          if (asking !== null) void decide(asking, reason);
        }}
      >
        <Changes changes={proposal.changes} />
        <p>
          {asking === "reject"
            ? "The settings in force stay as they are; the proposal is gone for good."
            : approved.length + 1 >= needed
              ? "It is in force for the next decision of the engine. Open trades keep the settings they began with."
              : "It is in force when somebody else has approved it as well."}
        </p>
      </ConfirmDialog>
    </>
  );
}
