/**
 * The one frame of every confirmation: what happens, what must be typed, the verb again.
 *
 * Asks for what the act demands (a reason, typed words, a code of the second factor) and keeps
 * the confirm button shut until it is there. What was typed is forgotten when it closes.
 */
import { type ReactNode, useState } from "react";

import { useDesk } from "@/lib/live";
import { testId } from "@/lib/testids";

import { AlertDialog } from "./ui/alert-dialog";
import { Button } from "./ui/button";
import { Input } from "./ui/input";

/** What was typed; `code` is left out where none was asked for. */
export interface Answers {
  readonly reason: string;
  readonly typed: string;
  readonly code?: string;
}

export interface Typed {
  readonly label: string;
  readonly testId: string;
  readonly accepts: (text: string) => boolean;
  readonly inputMode?: "text" | "numeric";
}

interface ConfirmDialogProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly title: string;
  /** Verb plus object, as on the button that opened the dialog. */
  readonly verb: string;
  readonly tone?: "primary" | "dangerSolid";
  readonly testId: string;
  readonly confirmTestId: string;
  /** The test id of the reason; without it no reason is asked for. */
  readonly reasonTestId?: string;
  readonly typed?: Typed;
  readonly withCode?: boolean;
  readonly leave?: string;
  /** False while something else that the act needs is missing. */
  readonly ready?: boolean;
  readonly onConfirm: (answers: Answers) => void;
  readonly children: ReactNode;
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

const NOTHING = { reason: "", typed: "", code: "" };

export function ConfirmDialog(props: ConfirmDialogProps) {
  const { typed, reasonTestId, ready = true } = props;
  const [answers, setAnswers] = useState(NOTHING);
  const isTyped = typed === undefined || typed.accepts(answers.typed.trim());
  const isReasoned = reasonTestId === undefined || answers.reason.trim() !== "";
  const close = (next: boolean) => {
    if (!next) setAnswers(NOTHING);
    props.onOpenChange(next);
  };
  const confirm = () => {
    const code = answers.code.trim();
    props.onConfirm({
      reason: answers.reason.trim(),
      typed: answers.typed.trim(),
      ...(code === "" ? {} : { code }),
    });
    close(false);
  };
  return (
    <AlertDialog
      open={props.open}
      onOpenChange={close}
      title={props.title}
      testId={props.testId}
      {...(props.leave === undefined ? {} : { leave: props.leave })}
      confirm={
        <Button
          tone={props.tone ?? "primary"}
          disabled={!(ready && isTyped && isReasoned)}
          data-testid={props.confirmTestId}
          onClick={confirm}
        >
          {props.verb}
        </Button>
      }
    >
      {props.children}
      {typed === undefined ? null : (
        <Input
          label={typed.label}
          value={answers.typed}
          autoComplete="off"
          spellCheck={false}
          inputMode={typed.inputMode ?? "text"}
          data-testid={typed.testId}
          onChange={(event) => setAnswers({ ...answers, typed: event.target.value })}
        />
      )}
      {reasonTestId === undefined ? null : (
        <Input
          label="Reason (kept in the audit log)"
          value={answers.reason}
          maxLength={300}
          data-testid={reasonTestId}
          onChange={(event) => setAnswers({ ...answers, reason: event.target.value })}
        />
      )}
      {props.withCode === true ? (
        <SecondFactor code={answers.code} onCode={(code) => setAnswers({ ...answers, code })} />
      ) : null}
    </AlertDialog>
  );
}
