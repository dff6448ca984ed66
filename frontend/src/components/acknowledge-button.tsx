/** Acknowledges an alarm. The row changes when the server says so over the stream. */
import { useState } from "react";

import { useLive, useMayTrade } from "@/lib/live";
import { ApiError } from "@/lib/session";

import { Button } from "./ui/button";

export function AcknowledgeButton({ incident, tone, testId }: {
  readonly incident: number;
  readonly tone: "plain" | "onCrit";
  readonly testId: string;
}) {
  const { api } = useLive();
  const may = useMayTrade();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  if (!may) return null;
  const acknowledge = async () => {
    setBusy(true);
    try {
      await api.acknowledge(incident);
      setFailure(null);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      setFailure(error instanceof ApiError ? error.message : "The server could not be reached.");
    }
    setBusy(false);
  };
  return (
    <Button
      tone={tone}
      disabled={busy}
      data-testid={testId}
      title={failure ?? undefined}
      className="min-h-7 px-2.5 text-caption"
      onClick={() => void acknowledge()}
    >
      {failure === null ? "Acknowledge" : "Not sent, retry"}
    </Button>
  );
}
