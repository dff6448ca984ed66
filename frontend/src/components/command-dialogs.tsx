/** Dialogs of the acts that start, loosen or stop: what happens, to what, and what does not. */
import { reasonText } from "@/lib/banners";
import { useDesk, useLive } from "@/lib/live";
import { useRead } from "@/lib/read";
import { testId } from "@/lib/testids";

import { type Answers, ConfirmDialog } from "./confirm-dialog";

interface DialogProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
}

interface ScopedProps extends DialogProps {
  /** An asset, or "*" for the whole engine. */
  readonly scope?: string;
}

const LIVE_PHRASE = "GO LIVE";

const withCode = ({ code }: Answers) => (code === undefined ? {} : { code });

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

export function ResumeDialog({ open, onOpenChange, scope = "*" }: ScopedProps) {
  const { commands } = useLive();
  const stored = useRead("/v1/status", open ? {} : null);
  const control = stored.data?.controls.find((row) => row.scope === scope);
  const afterLoss = control?.leaves_by === "second_person";
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title={scope === "*" ? "Resume trading?" : `Resume ${scope}?`}
      verb={scope === "*" ? "Resume trading" : `Resume ${scope}`}
      testId={testId.resumeDialog}
      confirmTestId={testId.resumeConfirm}
      reasonTestId={testId.resumeReason}
      withCode={afterLoss}
      onConfirm={(answers) => commands.run("resume", { scope, reason: answers.reason, ...withCode(answers) })}
    >
      {scope === "*" ? (
        <p>The engine takes new windows again on every asset that no rule stops. Observe only, if it is on, stays on.</p>
      ) : (
        <p>The engine takes new windows of {scope} again, in the mode it had before. The whole desk&apos;s mode stays as it is.</p>
      )}
      {afterLoss ? (
        <p className="text-text-1">
          A loss limit stopped it. It ends by {control.leaves_words}.
          {control.asked_by.length === 0 ? "" : ` Ordered so far by ${control.asked_by.join(", ")}.`}
        </p>
      ) : null}
      <OpenAlarms />
    </ConfirmDialog>
  );
}

export function GoLiveDialog({ open, onOpenChange, scope = "*" }: ScopedProps) {
  const { commands } = useLive();
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title={scope === "*" ? "Go live with the engine?" : `Go live with ${scope}?`}
      verb="Go live"
      testId={testId.liveDialog}
      confirmTestId={testId.liveConfirm}
      reasonTestId={testId.liveReason}
      typed={{
        label: `Type ${LIVE_PHRASE} to confirm`,
        testId: testId.livePhrase,
        accepts: (text) => text === LIVE_PHRASE,
      }}
      withCode
      onConfirm={(answers) => {
        const { reason } = answers;
        commands.run("live", { scope, reason, confirm: LIVE_PHRASE, ...withCode(answers) });
      }}
    >
      {scope === "*" ? (
        <p>Observe only ends. The engine sends orders to Kraken and Solana for every armed asset, within its caps.</p>
      ) : (
        <p>
          Observe only ends for {scope}. The engine sends its orders to Kraken and Solana, within its caps, as far as
          the whole desk&apos;s mode lets it.
        </p>
      )}
      <OpenAlarms />
    </ConfirmDialog>
  );
}

export function KillDialog({ open, onOpenChange, onConfirm }: DialogProps & { readonly onConfirm: () => void }) {
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title="Kill the engine?"
      verb="Kill the engine"
      tone="dangerSolid"
      testId={testId.killDialog}
      confirmTestId={testId.killConfirm}
      onConfirm={onConfirm}
    >
      <p>Every new order stops at once on every asset, and no signed transaction is sent again.</p>
      <p>Open trades are not hedged by themselves any more. Only an administrator can start trading again.</p>
    </ConfirmDialog>
  );
}

export function ResetDialog({ open, onOpenChange }: DialogProps) {
  const { commands } = useLive();
  const incident = (useDesk("incidents") ?? []).find(
    (one) => one.rule === "kill_switch" && one.state !== "closed",
  );
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={onOpenChange}
      title="Reset the kill switch?"
      verb="Reset kill switch"
      testId={testId.resetDialog}
      confirmTestId={testId.resetConfirm}
      reasonTestId={testId.resetReason}
      typed={{
        label: `Type the number of the kill-switch incident${incident === undefined ? "" : `, ${incident.number}`}`,
        testId: testId.resetIncident,
        accepts: (text) => /^[1-9]\d{0,14}$/.test(text),
        inputMode: "numeric",
      }}
      withCode
      onConfirm={(answers) => {
        const { reason, typed } = answers;
        commands.run("reset", { scope: "*", reason, incident: Number(typed), ...withCode(answers) });
      }}
    >
      <p>The engine leaves the halt to observe only: it computes and stores, and sends nothing. Going live is a step of its own.</p>
      <OpenAlarms />
    </ConfirmDialog>
  );
}
