/**
 * Server-corrected time. Ages are never measured against the raw browser clock.
 *
 * The socket's ping and pong give the offset; of the last 20 samples the one with the lowest
 * round trip is believed.
 */

interface Sample {
  readonly rttMs: number;
  readonly offsetMs: number;
}

const KEPT = 20;

/** Monotonic local time in unix ms; steps of the wall clock do not move it. */
export function localNow(): number {
  return performance.timeOrigin + performance.now();
}

export class ServerClock {
  private samples: Sample[] = [];
  private offset = 0;

  constructor(private readonly local: () => number = localNow) {}

  /** Take one pong: when the ping left and came back (local ms) and the server's time (ms). */
  observe(sentMs: number, receivedMs: number, serverMs: number): void {
    const rttMs = receivedMs - sentMs;
    if (rttMs < 0 || !Number.isFinite(serverMs)) return;
    this.samples.push({ rttMs, offsetMs: serverMs - (sentMs + receivedMs) / 2 });
    this.samples = this.samples.slice(-KEPT);
    this.offset = this.samples.reduce((best, one) => (one.rttMs < best.rttMs ? one : best)).offsetMs;
  }

  /** Unix ms by the server's clock. */
  now(): number {
    return this.local() + this.offset;
  }

  offsetMs(): number {
    return this.offset;
  }
}

/** Unix ns of the wire to unix ms. Sub-microsecond digits are lost, which no screen shows. */
export function nsToMs(ns: number): number {
  return ns / 1e6;
}
