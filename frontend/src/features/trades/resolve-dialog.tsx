/**
 * The ways out of a trade that waits for a person: which act, what it needs, why, and who.
 *
 * The engine carries the act out and answers; this dialog only orders. A flatten is confirmed
 * at the prices of a preview that is at most a minute old.
 */
import { useState } from "react";

import { ConfirmDialog } from "@/components/confirm-dialog";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Money } from "@/components/values";
import type { OrderBody, Resolution } from "@/lib/api";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import type { Trade } from "@/lib/frames";
import { useNow } from "@/lib/live";
import {
  type Act,
  ACT_ORDER,
  ACTS,
  isOpen,
  orderWords,
  previewLeft,
  previewOf,
  previewWords,
  suggestedAct,
} from "@/lib/resolving";
import { testId } from "@/lib/testids";

import type { Ordering } from "./use-order";

interface ResolveDialogProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly trade: Trade;
  readonly suggestion: string;
  readonly orders: readonly Resolution[];
  readonly ordering: Ordering;
}

interface VenueRecord {
  readonly venue: "kraken" | "solana";
  readonly reference: string;
}

const NO_RECORD: VenueRecord = { venue: "kraken", reference: "" };

export function ResolveDialog({ open, onOpenChange, trade, suggestion, orders, ordering }: ResolveDialogProps) {
  const suggested = suggestedAct(suggestion);
  const [chosen, setChosen] = useState<Act | null>(null);
  const [record, setRecord] = useState(NO_RECORD);
  const now = useNow();
  const act = chosen ?? suggested ?? "flatten";
  const asked = orders.find((order) => order.act === "preview");
  const preview = previewOf(asked);
  const left = preview === null ? 0 : previewLeft(preview, now);
  const named = /^[A-Za-z0-9-]{1,96}$/.test(record.reference.trim());
  const ready = act === "flatten" ? left > 0 : act === "attach" ? named : true;
  const order = (reason: string, code: string | undefined): OrderBody => ({
    act,
    reason,
    ...(act === "attach" ? { venue: record.venue, reference: record.reference.trim() } : {}),
    ...(act === "flatten" && preview !== null ? { preview: preview.id } : {}),
    ...(code === undefined ? {} : { code }),
  });
  const close = (next: boolean) => {
    if (!next) {
      setChosen(null);
      setRecord(NO_RECORD);
    }
    onOpenChange(next);
  };
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={close}
      title={`Resolve ${trade.asset}, ${format.quantity(trade.residual_base)} left over`}
      verb={ACTS[act].verb}
      leave="Close"
      tone={act === "flatten" ? "dangerSolid" : "primary"}
      testId={testId.resolveDialog}
      confirmTestId={testId.resolveConfirm}
      reasonTestId={testId.resolveReason}
      withCode
      ready={ready}
      onConfirm={({ reason, code }) => ordering.send(order(reason, code))}
    >
      <Acts act={act} suggested={suggested} onChoose={setChosen} />
      {act === "flatten" ? (
        <PreviewBox asset={trade.asset} asked={asked} leftMs={left} ordering={ordering} />
      ) : null}
      {act === "attach" ? <RecordFields record={record} onRecord={setRecord} /> : null}
      <p>Above the desk&apos;s value limit a second person must approve before the engine takes it. A sent order cannot be taken back.</p>
    </ConfirmDialog>
  );
}

function Acts({ act, suggested, onChoose }: {
  readonly act: Act;
  readonly suggested: Act | null;
  readonly onChoose: (act: Act) => void;
}) {
  return (
    <div role="radiogroup" aria-label="What to do" className="flex flex-col gap-1.5">
      {ACT_ORDER.map((one) => (
        <label
          key={one}
          className={cn(
            "flex cursor-pointer items-start gap-2.5 rounded-control border px-3 py-2",
            one === act ? "border-line-control bg-surface-3" : "border-line-2",
          )}
        >
          <input
            type="radio"
            name="act"
            value={one}
            checked={one === act}
            data-testid={testId.resolveAct(one)}
            onChange={() => onChoose(one)}
            className="mt-0.5 size-4 shrink-0 accent-lime"
          />
          <span>
            <span className="font-medium text-text-1">{ACTS[one].verb}</span>
            {one === suggested ? <span className="ml-2 text-caption text-text-2">suggested</span> : null}
            <span className="block text-caption text-text-2">{ACTS[one].what}</span>
          </span>
        </label>
      ))}
    </div>
  );
}

function PreviewBox({ asset, asked, leftMs, ordering }: {
  readonly asset: string;
  readonly asked: Resolution | undefined;
  readonly leftMs: number;
  readonly ordering: Ordering;
}) {
  const preview = previewOf(asked);
  const waiting = ordering.busy || (asked !== undefined && isOpen(asked));
  const refused = asked?.state === "refused" ? orderWords(asked) : null;
  return (
    <div className="rounded-control border border-line-2 bg-surface-1 px-3 py-2.5">
      {preview === null ? (
        <p className={refused === null ? undefined : "text-warn"}>
          {waiting
            ? "The engine is pricing it on the live book."
            : (refused ?? "The price comes first: the engine reads the live book, nothing is sent.")}
        </p>
      ) : (
        <div data-testid={testId.previewWords}>
          <p className="font-medium text-text-1">{previewWords(preview, asset)}.</p>
          <p>
            Worth <Money value={preview.notionalUsd} decimals={2} />, costs about{" "}
            <Money value={preview.costUsd} decimals={4} /> against the middle of the book.
          </p>
          <p className={leftMs > 0 ? "text-text-3" : "text-warn"}>
            {leftMs > 0 ? `Can be confirmed for ${format.roughAge(leftMs)} more.` : "Older than a minute. Ask again before you confirm."}
          </p>
        </div>
      )}
      <Button
        className="mt-2"
        data-testid={testId.previewAsk}
        disabled={waiting}
        onClick={() => ordering.send({ act: "preview" })}
      >
        {preview === null ? "Ask for a preview" : "Ask for a new preview"}
      </Button>
      {ordering.failure === null ? null : (
        <p role="alert" className="mt-2 text-warn">
          Not ordered. {ordering.failure}
        </p>
      )}
    </div>
  );
}

function RecordFields({ record, onRecord }: {
  readonly record: VenueRecord;
  readonly onRecord: (record: VenueRecord) => void;
}) {
  return (
    <div className="grid grid-cols-[auto_1fr] items-end gap-3 max-sm:grid-cols-1">
      <label className="flex flex-col gap-1.5 text-caption font-medium">
        Venue
        <select
          value={record.venue}
          data-testid={testId.resolveVenue}
          onChange={(event) => onRecord({ ...record, venue: event.target.value === "solana" ? "solana" : "kraken" })}
          className="h-9 rounded-control border border-line-control bg-canvas px-2 text-body text-text-1 max-sm:h-11"
        >
          <option value="kraken">Kraken</option>
          <option value="solana">Solana</option>
        </select>
      </label>
      <Input
        label={record.venue === "kraken" ? "Order id of the record" : "Signature of the transaction"}
        value={record.reference}
        maxLength={96}
        autoComplete="off"
        spellCheck={false}
        data-testid={testId.resolveReference}
        onChange={(event) => onRecord({ ...record, reference: event.target.value })}
      />
    </div>
  );
}
