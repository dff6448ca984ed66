/** One shared 4 Hz ticker: every age label and every rule about age follows this beat. */

const PERIOD_MS = 250;

export class Ticker {
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | null = null;
  private current: number;

  constructor(private readonly clock: () => number) {
    this.current = clock();
  }

  /** Server-corrected unix ms at the last beat. */
  now = (): number => this.current;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    this.timer ??= setInterval(() => this.beat(), PERIOD_MS);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0 && this.timer !== null) {
        clearInterval(this.timer);
        this.timer = null;
      }
    };
  };

  /** Take the time once and tell everybody. */
  beat(): void {
    this.current = this.clock();
    for (const listener of this.listeners) listener();
  }
}
