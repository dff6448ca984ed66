/** Calls to the server on behalf of the signed-in person; a lapsed token is renewed once. */
import { z } from "zod";

import { errorOf, type Session } from "./session";

const COMMAND_TIMEOUT_MS = 3000;

const ticketSchema = z.object({ ticket: z.string().min(1) });
const acceptedSchema = z.object({ command_id: z.string().min(1), state: z.string() });

export type ControlAction = "pause" | "resume" | "observe" | "live" | "kill" | "reset";

export interface ControlBody {
  readonly scope: string;
  readonly reason: string;
  /** Typed words, needed to go live. */
  readonly confirm?: string;
  /** Typed number of the incident, needed to reset the kill switch. */
  readonly incident?: number;
  /** Second factor, outside the simulator. */
  readonly code?: string;
}

export class Api {
  constructor(private readonly session: Session) {}

  /** A ticket for the console socket; null when the session is over. */
  ticket = async (): Promise<string | null> => {
    const response = await this.post("/v1/stream/ticket", {}, {});
    if (response.status === 401) return null;
    if (!response.ok) throw await errorOf(response);
    return ticketSchema.parse(await response.json()).ticket;
  };

  /** Send a control command; the id by which the engine's echo will name it. */
  control = async (action: ControlAction, body: ControlBody, key: string): Promise<string> => {
    const response = await this.post(`/v1/controls/${action}`, body, { "Idempotency-Key": key });
    if (!response.ok) throw await errorOf(response);
    return acceptedSchema.parse(await response.json()).command_id;
  };

  /** Acknowledge an alarm; its new state comes back over the stream. */
  acknowledge = async (incident: number): Promise<void> => {
    const response = await this.post(`/v1/incidents/${incident}/ack`, {}, {});
    if (!response.ok) throw await errorOf(response);
  };

  private async post(
    path: string,
    body: object,
    headers: Record<string, string>,
  ): Promise<Response> {
    const response = await this.send(path, body, headers);
    if (response.status !== 401) return response;
    return (await this.session.renew()) ? this.send(path, body, headers) : response;
  }

  private send(path: string, body: object, headers: Record<string, string>): Promise<Response> {
    const state = this.session.state();
    return fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: {
        "Content-Type": "application/json",
        ...(state.phase === "signed_in" ? { Authorization: `Bearer ${state.access}` } : {}),
        ...headers,
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
    });
  }
}
