/**
 * The console socket: one connection, ticket first, ping, acknowledgement, reconnect for ever.
 *
 * Hands frames to the desk. Commands never travel here, so a lost socket takes no button away.
 */
import type { ServerClock } from "./clock";
import { localNow, nsToMs } from "./clock";
import type { Connection, Desk } from "./desk";
import { frameSchema, STREAMS, type StreamName } from "./frames";
import { z } from "zod";

const PING_MS = 2000;
const DEAD_MS = 5000;
const ACK_MS = 500;
const RESYNC_EVERY_MS = 1000;
const BACKOFF_BASE_MS = 250;
const BACKOFF_CAP_MS = 5000;

const SESSION_ENDED = 4401;
const NO_PERMISSION = 4403;

const controlSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("pong"), id: z.number(), t: z.number(), server_ns: z.number() }),
]);

/** Full jitter: anywhere between nothing and the capped exponential, in ms. */
export function backoffMs(tries: number, random: () => number): number {
  return random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(tries, 10));
}

export interface ConnectionParts {
  readonly desk: Desk;
  readonly clock: ServerClock;
  readonly url: string;
  /** A single-use ticket; null when the session is over. Throws when the server is away. */
  readonly ticket: () => Promise<string | null>;
  /** The server says the session ended; true when it could be renewed. */
  readonly renew: () => Promise<boolean>;
  readonly open?: (url: string) => WebSocket;
  readonly random?: () => number;
}

export class StreamConnection {
  private socket: WebSocket | null = null;
  private stopped = true;
  private attempt = 0;
  private tries = 0;
  private downSince = 0;
  private heardAt = 0;
  private acknowledgedAt = 0;
  private renewedAt = -Infinity;
  private pingId = 0;
  private lastSeq: number | null = null;
  private readonly askedAt = new Map<StreamName, number>();
  private timers: ReturnType<typeof setInterval>[] = [];
  private retry: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly parts: ConnectionParts) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.tries = 0;
    this.downSince = 0;
    this.note("connecting");
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.attempt += 1;
    if (this.retry !== null) clearTimeout(this.retry);
    this.drop();
  }

  /** Ask for a fresh snapshot of every stream, as after the tab was hidden. */
  resyncAll(): void {
    for (const stream of STREAMS) this.resync(stream);
  }

  private async connect(): Promise<void> {
    const attempt = ++this.attempt;
    let ticket: string | null;
    try {
      ticket = await this.parts.ticket();
    } catch (error) {
      // Any failure to get a ticket is "the server is away"; the cause shows in the network log.
      if (!(error instanceof Error)) throw error;
      if (attempt === this.attempt) this.lost();
      return;
    }
    if (this.stopped || attempt !== this.attempt) return;
    if (ticket === null) {
      this.end("ended");
      return;
    }
    const socket = (this.parts.open ?? ((url: string) => new WebSocket(url)))(this.parts.url);
    this.socket = socket;
    this.heardAt = localNow();
    socket.onopen = () => socket.send(JSON.stringify({ type: "auth", ticket }));
    socket.onmessage = (event) => this.receive(String(event.data));
    socket.onclose = (event) => {
      if (this.socket === socket) void this.closed(event.code);
    };
    this.timers.push(setInterval(() => this.watch(), 500));
  }

  private receive(text: string): void {
    this.heardAt = localNow();
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.parts.desk.countDropped();
      return;
    }
    const frame = frameSchema.safeParse(body);
    if (frame.success) {
      this.lastSeq = frame.data.seq;
      if (this.parts.desk.apply(frame.data) !== "applied") this.resync(frame.data.stream);
      // Timers of a hidden tab nearly stop; frames do not, so they acknowledge themselves.
      if (this.heardAt - this.acknowledgedAt >= ACK_MS) this.acknowledge();
      return;
    }
    const control = controlSchema.safeParse(body);
    if (!control.success) {
      this.noteUnreadable(body);
      return;
    }
    if (control.data.type === "ready") this.ready();
    else this.parts.clock.observe(control.data.t, localNow(), nsToMs(control.data.server_ns));
  }

  /** A frame that does not fit still moved its stream's count: only a snapshot repairs it. */
  private noteUnreadable(body: unknown): void {
    this.parts.desk.countDropped();
    const head = z.object({ stream: z.enum(STREAMS), seq: z.number() }).safeParse(body);
    if (!head.success) return;
    this.lastSeq = head.data.seq;
    this.resync(head.data.stream);
  }

  private ready(): void {
    this.parts.desk.restart();
    this.tries = 0;
    this.askedAt.clear();
    const now = localNow();
    const downMs = this.downSince === 0 ? 0 : now - this.downSince;
    this.downSince = 0;
    this.note("open", downMs);
    this.ping();
    this.timers.push(setInterval(() => this.ping(), PING_MS));
    this.timers.push(setInterval(() => this.acknowledge(), ACK_MS));
  }

  private ping(): void {
    this.pingId += 1;
    this.send({ type: "ping", id: this.pingId, t: localNow() });
  }

  private acknowledge(): void {
    this.acknowledgedAt = localNow();
    if (this.lastSeq !== null) this.send({ type: "ack", seq: this.lastSeq });
  }

  private resync(stream: StreamName): void {
    const now = localNow();
    if (now - (this.askedAt.get(stream) ?? -Infinity) < RESYNC_EVERY_MS) return;
    this.askedAt.set(stream, now);
    this.send({ type: "resync", stream });
  }

  private send(message: object): void {
    const { socket } = this;
    if (socket !== null && socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  }

  /** A silent socket is a dead one, whatever the browser still believes. */
  private watch(): void {
    if (localNow() - this.heardAt <= DEAD_MS) return;
    this.drop();
    this.lost();
  }

  private async closed(code: number): Promise<void> {
    this.drop();
    if (this.stopped) return;
    if (code === NO_PERMISSION) {
      this.end("forbidden");
      return;
    }
    if (code === SESSION_ENDED) {
      const again = localNow() - this.renewedAt < DEAD_MS;
      if (again || !(await this.parts.renew())) {
        this.end("ended");
        return;
      }
      this.renewedAt = localNow();
    }
    this.lost();
  }

  private lost(): void {
    if (this.stopped) return;
    if (this.downSince === 0) this.downSince = localNow();
    this.tries += 1;
    this.note("lost");
    const delay = backoffMs(this.tries - 1, this.parts.random ?? Math.random);
    this.retry = setTimeout(() => void this.connect(), delay);
  }

  private end(phase: "ended" | "forbidden"): void {
    this.stopped = true;
    this.drop();
    this.note(phase);
  }

  private drop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.timers = [];
    const socket = this.socket;
    this.socket = null;
    this.lastSeq = null;
    socket?.close();
  }

  private note(phase: Connection["phase"], downMs = 0): void {
    const sinceMs = phase === "lost" ? this.downSince : localNow();
    this.parts.desk.store.set("connection", { phase, sinceMs, tries: this.tries, downMs });
  }
}
