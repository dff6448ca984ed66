/** Sends a person's order under one key, so that sending it again cannot order it twice. */
import { useState } from "react";

import type { OrderBody } from "@/lib/api";
import { newKey } from "@/lib/commands";
import { useLive } from "@/lib/live";
import { causeOf } from "@/lib/session";

interface Sent {
  readonly body: OrderBody;
  readonly key: string;
}

export interface Ordering {
  readonly busy: boolean;
  /** Why the order was not taken; null when it was, or before any. */
  readonly failure: string | null;
  readonly send: (body: OrderBody) => void;
  /** The same order again under its own key; null where that makes no sense. */
  readonly again: (() => void) | null;
}

export function useOrder(trade: string, onOrdered: () => void): Ordering {
  const { api } = useLive();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<{ cause: string; retry: boolean } | null>(null);
  const [sent, setSent] = useState<Sent | null>(null);
  const deliver = async (order: Sent) => {
    if (busy) return;
    setBusy(true);
    try {
      await api.order(trade, order.body, order.key);
      setFailure(null);
    } catch (error) {
      setFailure(causeOf(error));
    } finally {
      setBusy(false);
      onOrdered();
    }
  };
  const send = (body: OrderBody) => {
    const order = { body, key: newKey() };
    setSent(order);
    void deliver(order);
  };
  const repeatable = sent !== null && failure?.retry === true;
  return {
    busy,
    failure: failure?.cause ?? null,
    send,
    again: repeatable ? () => void deliver(sent) : null,
  };
}
