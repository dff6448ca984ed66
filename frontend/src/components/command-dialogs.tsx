/** Dialogs of the acts that start, loosen or stop: what happens, to what, and what does not. */
import { useState } from "react";

import { reasonText } from "@/lib/banners";
import { useDesk, useLive } from "@/lib/live";
import { testId } from "@/lib/testids";

import { AlertDialog } from "./ui/alert-dialog";
import { Button } from "./ui/button";
import { Input } from "./ui/input";

interface DialogProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
}

export const LIVE_PHRASE = "GO LIVE";

function OpenAlarms() {
  const incidents = (useDesk("incidents") ?? []).filter((one) => one.state !== "closed");
  if (incidents.length === 0) return <p>No alarm is open.</p>;
  return (
    <div>
      <p className="font-medium text-text-1">
        {incidents.length === 1 ? "1 alarm is open:" : `${incidents.length} alarms are open:`}
      </p>
      <ul className="mt-1 list-disc pl-5">
        {incidents.slice(0, 5).map((one) => (
          <li key={one.number}>
            {one.asset === "*" ? "Engine" : one.asset}: {reasonText(one)}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function ResumeDialog({ open, onOpenChange }: DialogProps) {
  const { commands } = useLive();
  const [reason, setReason] = useState("");
  const ready = reason.trim().length > 0;
  const close = (next: boolean) => {
    if (!next) setReason("");
    onOpenChange(next);
  };
  return (
    <AlertDialog
      open={open}
      onOpenChange={close}
      title="Resume trading?"
      testId={testId.resumeDialog}
      confirm={
        <Button
          tone="primary"
          disabled={!ready}
          data-testid={testId.resumeConfirm}
          onClick={() => {
            commands.run("resume", { scope: "*", reason: reason.trim() });
            close(false);
          }}
        >
          Resume trading
        </Button>
      }
    >
      <p>The engine takes new windows again on every asset that no rule stops. Observe only, if it is on, stays on.</p>
      <OpenAlarms />
      <Input
        label="Reason (kept in the audit log)"
        value={reason}
        maxLength={300}
        data-testid={testId.resumeReason}
        onChange={(event) => setReason(event.target.value)}
      />
    </AlertDialog>
  );
}

export function GoLiveDialog({ open, onOpenChange }: DialogProps) {
  const { commands } = useLive();
  const [reason, setReason] = useState("");
  const [phrase, setPhrase] = useState("");
  const ready = reason.trim().length > 0 && phrase === LIVE_PHRASE;
  const close = (next: boolean) => {
    if (!next) {
      setReason("");
      setPhrase("");
    }
    onOpenChange(next);
  };
  return (
    <AlertDialog
      open={open}
      onOpenChange={close}
      title="Go live with the engine?"
      testId={testId.liveDialog}
      confirm={
        <Button
          tone="primary"
          disabled={!ready}
          data-testid={testId.liveConfirm}
          onClick={() => {
            commands.run("live", { scope: "*", reason: reason.trim(), confirm: LIVE_PHRASE });
            close(false);
          }}
        >
          Go live
        </Button>
      }
    >
      <p>Observe only ends. The engine sends orders to Kraken and Solana for every armed asset, within its caps.</p>
      <OpenAlarms />
      <Input
        label="Reason (kept in the audit log)"
        value={reason}
        maxLength={300}
        data-testid={testId.liveReason}
        onChange={(event) => setReason(event.target.value)}
      />
      <Input
        label={`Type ${LIVE_PHRASE} to confirm`}
        value={phrase}
        autoComplete="off"
        spellCheck={false}
        data-testid={testId.livePhrase}
        onChange={(event) => setPhrase(event.target.value)}
      />
    </AlertDialog>
  );
}

export function KillDialog({ open, onOpenChange, onConfirm }: DialogProps & { readonly onConfirm: () => void }) {
  return (
    <AlertDialog
      open={open}
      onOpenChange={onOpenChange}
      title="Kill the engine?"
      testId={testId.killDialog}
      confirm={
        <Button
          tone="dangerSolid"
          data-testid={testId.killConfirm}
          onClick={() => {
            onConfirm();
            onOpenChange(false);
          }}
        >
          Kill the engine
        </Button>
      }
    >
      <p>Every new order stops at once on every asset, and no signed transaction is sent again.</p>
      <p>Open trades are not hedged by themselves any more. Only an administrator can start trading again.</p>
    </AlertDialog>
  );
}
