/** Calls to the server on behalf of the signed-in person; a lapsed token is renewed once. */
import { z } from "zod";

import type { components, paths } from "./schema";
import { errorOf, type Session } from "./session";

const COMMAND_TIMEOUT_MS = 3000;
const READ_TIMEOUT_MS = 10_000;

const ticketSchema = z.object({ ticket: z.string().min(1) });
const acceptedSchema = z.object({ command_id: z.string().min(1), state: z.string() });

type Schemas = components["schemas"];
export type TradePicture = Schemas["TradePicture"];
export type Intent = Schemas["Intent"];
export type AttemptPicture = Schemas["AttemptPicture"];
export type BoundQuote = Schemas["BoundQuote"];
export type TradeError = Schemas["TradeErrorPicture"];
export type Resolution = Schemas["ResolutionPicture"];
export type OrderedAct = Resolution["act"];
export type StudyHead = Schemas["StudyHead"];
export type StudyPicture = Schemas["StudyPicture"];
export type Figures = Schemas["Figures"];
export type Ablation = Schemas["AblationResult"];
export type Feasibility = Schemas["FeasibilityHead"];
export type PredictionRow = Schemas["PredictionPicture"];
export type Markout = PredictionRow["markouts"][number];
export type PaperPicture = Schemas["PaperPicture"];
export type BookFigures = Schemas["BookFigures"];
export type Control = Schemas["ControlRow"];
export type DeskRisk = Schemas["RiskPicture"];
export type Health = Schemas["HealthPicture"];
export type AssetConfig = Schemas["ConfigPicture"];
export type ConfigProposal = Schemas["Proposal"];
export type ServiceLevel = Schemas["Level"];

/** What a person orders for a trade; fields left out have the server's defaults. */
export type OrderBody = Pick<Schemas["ResolveBody"], "act"> & Partial<Schemas["ResolveBody"]>;

/** Addresses that can be read, and what each answers. */
export type ReadPath = {
  [P in keyof paths]: paths[P] extends { get: { responses: { 200: unknown } } } ? P : never;
}[keyof paths];
export type Answer<P extends ReadPath> = paths[P] extends {
  get: { responses: { 200: { content: { "application/json": infer A } } } };
}
  ? A
  : never;
export type Params = Readonly<Record<string, string>>;

export type ControlAction = "pause" | "resume" | "observe" | "paper" | "live" | "kill" | "reset";

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

/** The address with its named parts filled in; what has no place in it becomes the query. */
export function addressOf(path: string, params: Params): string {
  const query = new URLSearchParams();
  let address = path;
  for (const [name, value] of Object.entries(params)) {
    const place = `{${name}}`;
    if (address.includes(place)) address = address.replace(place, encodeURIComponent(value));
    else query.set(name, value);
  }
  return query.size === 0 ? address : `${address}?${query.toString()}`;
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

  /** Send a command; the id by which the engine's echo names it, null while a second person must order the same. */
  control = async (action: ControlAction, body: ControlBody, key: string): Promise<string | null> => {
    const response = await this.post(`/v1/controls/${action}`, body, { "Idempotency-Key": key });
    if (!response.ok) throw await errorOf(response);
    const answer = acceptedSchema.parse(await response.json());
    return answer.state === "waiting" ? null : answer.command_id;
  };

  /** Acknowledge an alarm; its new state comes back over the stream. */
  acknowledge = async (incident: number): Promise<void> => {
    const response = await this.post(`/v1/incidents/${incident}/ack`, {}, {});
    if (!response.ok) throw await errorOf(response);
  };

  /** Order a way out for a trade; it is done only when its state says so. */
  order = async (trade: string, body: OrderBody, key: string): Promise<Resolution> => {
    const headers = { "Idempotency-Key": key };
    return this.answered(await this.post(`/v1/trades/${trade}/resolve`, body, headers));
  };

  /** A second person's yes to what somebody else ordered. */
  approve = async (
    order: Pick<Resolution, "id" | "trade_id">,
    body: Schemas["SecondPersonBody"],
  ): Promise<Resolution> => {
    const path = `/v1/trades/${order.trade_id}/resolutions/${order.id}/approve`;
    return this.answered(await this.post(path, body, {}));
  };

  /** Propose the haircut an asset's errors ask for; an administrator approves it. */
  proposeHaircut = async (asset: string): Promise<void> => {
    await this.answered(await this.post(`/v1/prediction/${asset}/propose`, {}, {}));
  };

  /** Approve or refuse a proposed configuration; the last approval needed puts it in force. */
  decide = async (
    proposal: ConfigProposal["config"],
    decision: "approve" | "reject",
    reason: string,
  ): Promise<void> => {
    const { asset, version } = proposal;
    await this.answered(await this.post(`/v1/config/${asset}/${decision}`, { version, reason }, {}));
  };

  /** What an address answers; its shape is the schema's, which the server's tests hold it to. */
  read = async <P extends ReadPath>(path: P, params: Params = {}): Promise<Answer<P>> =>
    this.answered<Answer<P>>(await this.renewing(() => this.get(addressOf(path, params))));

  private async answered<T>(response: Response): Promise<T> {
    if (!response.ok) throw await errorOf(response);
    return (await response.json()) as T;
  }

  private post(path: string, body: object, headers: Record<string, string>): Promise<Response> {
    return this.renewing(() => this.send(path, body, headers));
  }

  private async renewing(call: () => Promise<Response>): Promise<Response> {
    const response = await call();
    if (response.status !== 401) return response;
    return (await this.session.renew()) ? call() : response;
  }

  private get(address: string): Promise<Response> {
    return fetch(address, {
      credentials: "same-origin",
      headers: this.standing(),
      signal: AbortSignal.timeout(READ_TIMEOUT_MS),
    });
  }

  private send(path: string, body: object, headers: Record<string, string>): Promise<Response> {
    return fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", ...this.standing(), ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
    });
  }

  private standing(): Record<string, string> {
    const state = this.session.state();
    return state.phase === "signed_in" ? { Authorization: `Bearer ${state.access}` } : {};
  }
}
