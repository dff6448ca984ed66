/**
 * Which banners stand, worst first, and what they say: what, cause with number and limit, what
 * still works, how it clears. Pure: the component only draws them.
 */
import type { ControlAction } from "./api";
import { doubt, type CommandState } from "./commands";
import type { Connection } from "./desk";
import { age, latency, quantity, roughAge, usd, utcTime } from "./format";
import type { Incident, Status, StopReason, Trade, VenueHealth } from "./frames";
import { engineState } from "./states";

export type BannerKind =
  | "killed"
  | "command"
  | "operator"
  | "connection"
  | "no-signal"
  | "auto-paused"
  | "incident"
  | "auto-paused-assets"
  | "venue"
  | "live-again";

export interface Banner {
  readonly kind: BannerKind;
  readonly tone: "crit" | "warn" | "info";
  readonly title: string;
  readonly body: string;
  /** A command the banner offers to send again. */
  readonly retry?: ControlAction;
  /** An incident the banner offers to acknowledge. */
  readonly acknowledge?: number;
  /** A trade the banner offers to open. */
  readonly trade?: string;
}

export interface BannerInput {
  readonly status: Status | undefined;
  readonly connection: Connection | undefined;
  readonly incidents: readonly Incident[];
  readonly trades: readonly Trade[];
  readonly commands: Readonly<Record<ControlAction, CommandState>>;
  /** Server time for ages of the engine, local time for ages of the line; ms. */
  readonly nowMs: number;
  readonly localMs: number;
}

const ACTION_NOUN: Record<ControlAction, string> = {
  pause: "Pause",
  resume: "Resume",
  observe: "Observe only",
  paper: "Paper",
  live: "Go live",
  kill: "Kill",
  reset: "Reset",
};

/** A reason as a sentence: text, then its number and limit unless the text has them. */
export function reasonText(reason: Pick<StopReason, "text" | "value" | "limit">): string {
  const text = reason.text.replace(/[.:]$/, "");
  const value = reason.value === "" || text.includes(reason.value) ? "" : `: ${reason.value}`;
  const limit =
    reason.limit === "" || text.includes(reason.limit) ? "" : ` (limit ${reason.limit})`;
  return `${text}${value}${limit}`;
}

/** Staleness clears by itself; every other rule waits for a person. */
export function clearsItself(rule: string): boolean {
  return /stale/i.test(rule);
}

function killed(status: Status): Banner {
  const cause = status.reasons.find((reason) => reason.mode === "halt");
  const why =
    cause === undefined
      ? ""
      : `${reasonText(cause)} at ${utcTime(cause.since_ns / 1e6, true)} UTC. `;
  const open = status.open_trades === 1 ? "1 open trade" : `${status.open_trades} open trades`;
  return {
    kind: "killed",
    tone: "crit",
    title: "Kill switch active. No orders can be sent.",
    body: `${why}${open}, ${usd(status.unhedged_usd, 2)} unhedged. An administrator resets it.`,
  };
}

function connection(line: Connection, localMs: number, reachable: boolean): Banner | null {
  if (line.phase === "forbidden") {
    return {
      kind: "connection",
      tone: "warn",
      title: "Live updates are not allowed.",
      body: "This account may not read the live streams. Ask an administrator for read access.",
    };
  }
  if (line.phase === "lost" && localMs - line.sinceMs >= 1000) {
    return {
      kind: "connection",
      tone: "warn",
      title: `Live updates lost ${roughAge(localMs - line.sinceMs)} ago.`,
      body: `Reconnecting, try ${line.tries}.${reachable ? " Pause and kill still work." : ""}`,
    };
  }
  return null;
}

function liveAgain(line: Connection, localMs: number): Banner | null {
  const shown = line.phase === "open" && line.downMs >= 1000 && localMs - line.sinceMs < 3000;
  if (!shown) return null;
  return {
    kind: "live-again",
    tone: "info",
    title: "Live again.",
    body: `Updates were away for ${age(line.downMs)}.`,
  };
}

function noSignal(status: Status, nowMs: number): Banner {
  const beat = nowMs - status.beat_ns / 1e6;
  return {
    kind: "no-signal",
    tone: "warn",
    title: `No signal from the engine for ${age(beat)}.`,
    body: "What it does now is unknown; figures below are the last it sent. Pause and kill still work.",
  };
}

function autoPaused(reason: StopReason | undefined): Banner {
  const clears =
    reason !== undefined && clearsItself(reason.rule)
      ? "Resumes after 30 s of fresh data."
      : "Stays until an operator resumes it.";
  return {
    kind: "auto-paused",
    tone: "warn",
    title: "Engine auto-paused",
    body: `${reason === undefined ? "A rule stopped new intents" : reasonText(reason)}. Open trades are still hedged. ${clears}`,
  };
}

function autoPausedAssets(reasons: readonly StopReason[]): Banner {
  const assets = [...new Set(reasons.map((reason) => reason.asset))];
  const causes = [...new Set(reasons.map(reasonText))];
  const alone = reasons.every((reason) => clearsItself(reason.rule));
  const clears = alone ? "Resumes after 30 s of fresh data." : "Stays until an operator resumes it.";
  const shown = causes.slice(0, 2).join("; ");
  const more = causes.length > 2 ? ` and ${causes.length - 2} more` : "";
  return {
    kind: "auto-paused-assets",
    tone: "warn",
    title:
      assets.length <= 3
        ? `${assets.join(", ")} auto-paused`
        : `${assets.length} assets auto-paused`,
    body: `${shown}${more}. Other assets keep trading. ${clears}`,
  };
}

function venueWord(venue: string): string {
  return venue.charAt(0).toUpperCase() + venue.slice(1);
}

function venueTrouble(venue: VenueHealth): Banner {
  const figure =
    venue.proof_age_ms === null
      ? "No message received yet"
      : `Last proof of life ${age(venue.proof_age_ms)} ago (limit ${age(venue.limit_ms)})`;
  const rtt = venue.rtt_ms === null ? "" : `, round trip ${latency(venue.rtt_ms)}`;
  return {
    kind: "venue",
    tone: "warn",
    title: `${venueWord(venue.venue)} ${venue.status}`,
    body: `${figure}${rtt}. The other venue is not affected.`,
  };
}

function commands(input: BannerInput): Banner[] {
  const rows: Banner[] = [];
  for (const [name, state] of Object.entries(input.commands)) {
    const action = name as ControlAction;
    if (doubt(state, input.localMs) === "crit") {
      rows.push({
        kind: "command",
        tone: "crit",
        title: "Engine has not confirmed. Orders may still be sent.",
        body: `${ACTION_NOUN[action]} is unconfirmed. Hold the kill switch, or stop the engine process on the server.`,
      });
    } else if (state.phase === "failed") {
      rows.push({
        kind: "command",
        tone: action === "kill" || action === "pause" ? "crit" : "warn",
        title: `${ACTION_NOUN[action]} was not sent.`,
        body: state.cause,
        ...(state.retry ? { retry: action } : {}),
      });
    }
  }
  return rows;
}

/** The stop an engine raises when it hands a trade to a person; its text names the suggested act. */
const PARKED = "residual_parked";

/** One row for each trade that waits for a person; it stands until the trade is resolved. */
function operators(trades: readonly Trade[], incidents: readonly Incident[]): Banner[] {
  return trades
    .filter((trade) => trade.state === "operator")
    .map((trade) => {
      const incident = incidents.find(
        (one) => one.rule === PARKED && one.asset === trade.asset && one.state !== "closed",
      );
      const left = `${quantity(trade.residual_base)} ${trade.asset} left over: ${trade.reason}`;
      return {
        kind: "operator",
        tone: "crit",
        title: `${trade.asset} trade needs a person.`,
        body: `${incident === undefined ? left : incident.text}. Nothing more is sent for it until you order it.`,
        trade: trade.id,
        ...(incident?.state === "open" ? { acknowledge: incident.number } : {}),
      };
    });
}

/** Every banner that stands now, worst first. */
export function bannersFor(input: BannerInput): readonly Banner[] {
  const { status, connection: line, nowMs, localMs } = input;
  const state = engineState(status, nowMs);
  const rows: (Banner | null)[] = [];
  if (status?.mode === "halt") rows.push(killed(status));
  const troubled = commands(input);
  rows.push(...troubled);
  rows.push(...operators(input.trades, input.incidents));
  // Not to be claimed beside a command that has just failed.
  if (line !== undefined) rows.push(connection(line, localMs, troubled.length === 0));
  if (status !== undefined && state === "no_signal") rows.push(noSignal(status, nowMs));
  if (status !== undefined && state !== "no_signal") rows.push(...fromStatus(status, input));
  if (line !== undefined) rows.push(liveAgain(line, localMs));
  return rows.filter((row) => row !== null);
}

function fromStatus(status: Status, { incidents, trades }: BannerInput): Banner[] {
  const rows: Banner[] = [];
  const automatic = status.reasons.filter((reason) => reason.mode === "hedge_only");
  if (status.mode === "hedge_only") {
    rows.push(autoPaused(automatic.find((reason) => reason.asset === "*") ?? automatic[0]));
  }
  for (const incident of incidents) {
    if (incident.priority !== "critical" || incident.state !== "open") continue;
    if (status.mode === "halt" && incident.rule.includes("kill")) continue;
    // The trade's own banner says it, and stands longer.
    const parked = trades.some((one) => one.state === "operator" && one.asset === incident.asset);
    if (incident.rule === PARKED && parked) continue;
    rows.push({
      kind: "incident",
      tone: "crit",
      title: `Incident ${incident.number}${incident.asset === "*" ? "" : `, ${incident.asset}`}`,
      body: `${reasonText(incident)}.`,
      acknowledge: incident.number,
    });
  }
  const assets = automatic.filter((reason) => reason.asset !== "*");
  if (assets.length > 0 && status.mode !== "hedge_only") rows.push(autoPausedAssets(assets));
  for (const venue of status.venues) {
    const covered = automatic.some((reason) =>
      reason.text.toLowerCase().includes(venue.venue.toLowerCase()),
    );
    if (["degraded", "stale", "down"].includes(venue.status) && !covered) {
      rows.push(venueTrouble(venue));
    }
  }
  return rows;
}
