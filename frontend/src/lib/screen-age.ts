/**
 * Screen age: the time a value is painted minus the time the engine published it.
 *
 * Measured at every flush; between frames it grows, so that a silent line shows as age.
 */
const WINDOW = 600;
const QUIET_MS = 1000;

export class ScreenAgeMeter {
  private samples: number[] = [];
  private lastPublishedMs = 0;
  private worst = 0;

  /** Note that something published at `publishedMs` is painted at `paintedMs` (server ms). */
  painted(publishedMs: number, paintedMs: number): void {
    const sample = Math.max(0, paintedMs - publishedMs);
    this.samples.push(sample);
    if (this.samples.length > WINDOW) this.samples.shift();
    this.worst = Math.max(this.worst, sample);
    this.lastPublishedMs = Math.max(this.lastPublishedMs, publishedMs);
  }

  /** Worst age painted since the last reading, or the age of the silence; null before any. */
  read(nowMs: number): number | null {
    if (this.lastPublishedMs === 0) return null;
    const since = nowMs - this.lastPublishedMs;
    const shown = since > QUIET_MS ? since : this.worst === 0 ? this.latest() : this.worst;
    this.worst = 0;
    return shown;
  }

  /** 95th percentile of the last 600 paints; null before any. */
  p95(): number | null {
    if (this.samples.length === 0) return null;
    const sorted = [...this.samples].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))] ?? null;
  }

  private latest(): number {
    return this.samples[this.samples.length - 1] ?? 0;
  }
}
