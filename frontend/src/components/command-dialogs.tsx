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

/** A code field where the profile asks for a second factor: everywhere but in the simulator. */
function SecondFactor({ code, onCode }: {
  readonly code: string;
  readonly onCode: (code: string) => void;
}) {
  const profile = useDesk("status")?.profile;
  if (profile === undefined || profile === "sim") return null;
  return (
    <Input
      label="Code of your second factor"
      value={code}
      maxLength={16}
      inputMode="numeric"
      autoComplete="one-time-code"
      data-testid={testId.stepupCode}
      onChange={(event) => onCode(event.target.value)}
    />
  );
}

const withCode = (code: string) => (code.trim() === "" ? {} : { code: code.trim() });

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
  const [code, setCode] = useState("");
  const ready = reason.trim().length > 0 && phrase === LIVE_PHRASE;
  const close = (next: boolean) => {
    if (!next) {
      setReason("");
      setPhrase("");
      setCode("");
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
            commands.run("live", {
              scope: "*",
              reason: reason.trim(),
              confirm: LIVE_PHRASE,
              ...withCode(code),
            });
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
      <SecondFactor code={code} onCode={setCode} />
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

export function ResetDialog({ open, onOpenChange }: DialogProps) {
  const { commands } = useLive();
  const incident = (useDesk("incidents") ?? []).find(
    (one) => one.rule === "kill_switch" && one.state !== "closed",
  );
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const [code, setCode] = useState("");
  const ready = /^[1-9]\d{0,14}$/.test(typed.trim()) && reason.trim().length > 0;
  const close = (next: boolean) => {
    if (!next) {
      setTyped("");
      setReason("");
      setCode("");
    }
    onOpenChange(next);
  };
  return (
    <AlertDialog
      open={open}
      onOpenChange={close}
      title="Reset the kill switch?"
      testId={testId.resetDialog}
      confirm={
        <Button
          tone="primary"
          disabled={!ready}
          data-testid={testId.resetConfirm}
          onClick={() => {
            commands.run("reset", {
              scope: "*",
              reason: reason.trim(),
              incident: Number(typed),
              ...withCode(code),
            });
            close(false);
          }}
        >
          Reset kill switch
        </Button>
      }
    >
      <p>The engine leaves the halt to observe only: it computes and stores, and sends nothing. Going live is a step of its own.</p>
      <OpenAlarms />
      <Input
        label={`Type the number of the kill-switch incident${incident === undefined ? "" : `, ${incident.number}`}`}
        value={typed}
        inputMode="numeric"
        autoComplete="off"
        data-testid={testId.resetIncident}
        onChange={(event) => setTyped(event.target.value)}
      />
      <Input
        label="Reason (kept in the audit log)"
        value={reason}
        maxLength={300}
        data-testid={testId.resetReason}
        onChange={(event) => setReason(event.target.value)}
      />
      <SecondFactor code={code} onCode={setCode} />
    </AlertDialog>
  );
}
