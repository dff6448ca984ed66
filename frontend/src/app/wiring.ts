/** Puts the live parts together once, and ties the stream to the session. */
import { Api } from "@/lib/api";
import { localNow, ServerClock } from "@/lib/clock";
import { CommandCentre, newKey } from "@/lib/commands";
import { StreamConnection } from "@/lib/connection";
import { Desk } from "@/lib/desk";
import { feedAge } from "@/lib/feed-age";
import type { Live } from "@/lib/live";
import { ScreenAgeMeter } from "@/lib/screen-age";
import { Session } from "@/lib/session";
import { freshness } from "@/lib/states";
import { Ticker } from "@/lib/ticker";

const SPARK_PERIOD_MS = 500;
const START_AGAIN_MS = 2000;

function streamUrl(): string {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${location.host}/v1/stream`;
}

/** The live parts of this page; call once. */
export function assemble(): Live {
  const session = new Session();
  const api = new Api(session);
  const clock = new ServerClock();
  const desk = new Desk();
  const ticker = new Ticker(() => clock.now());
  const commands = new CommandCentre({
    send: api.control,
    nowMs: localNow,
    newKey,
    applied: () => desk.store.get("status")?.applied_commands ?? [],
  });
  const stream = new StreamConnection({
    desk,
    clock,
    url: streamUrl(),
    ticket: api.ticket,
    renew: session.renew,
  });

  followSession(session, stream, desk);
  measure(desk, clock, ticker);
  desk.store.subscribe("status", () => {
    commands.echo(desk.store.get("status")?.applied_commands ?? []);
  });
  desk.store.subscribe("connection", () => {
    if (desk.store.get("connection")?.phase === "ended") session.lapse();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    desk.store.flush();
    stream.resyncAll();
  });
  void resume(session);
  return { session, api, desk, ticker, commands };
}

/** Signed in: stream. Signed out or another person: forget. Lapsed: stop, keep what is shown. */
function followSession(session: Session, stream: StreamConnection, desk: Desk): void {
  let streaming = false;
  let person: string | null = null;
  session.subscribe(() => {
    const state = session.state();
    const wanted = state.phase === "signed_in";
    if (wanted && person !== state.user.username) {
      if (person !== null) desk.clear();
      person = state.user.username;
    }
    if (wanted && !streaming) stream.start();
    if (!wanted && streaming) stream.stop();
    if (state.phase === "anonymous") desk.clear();
    streaming = wanted;
  });
}

/** Screen age at every paint, and the one-minute lines twice a second. */
function measure(desk: Desk, clock: ServerClock, ticker: Ticker): void {
  const meter = new ScreenAgeMeter();
  desk.store.onFlush(() => {
    const published = desk.takePainted();
    if (published !== null) meter.painted(published, clock.now());
  });
  let sampledAt = 0;
  ticker.subscribe(() => {
    const now = ticker.now();
    desk.store.set("screenAge", meter.read(now));
    if (now - sampledAt < SPARK_PERIOD_MS - 20) return;
    sampledAt = now;
    const status = desk.store.get("status");
    desk.sampleSparks((row) => freshness("spreads", feedAge(row, status, now)) !== "fresh");
  });
}

/** Take up the session of the cookie; while the server is away, ask again. */
async function resume(session: Session): Promise<void> {
  while (session.state().phase === "starting") {
    try {
      await session.renew();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, START_AGAIN_MS));
    }
  }
}
