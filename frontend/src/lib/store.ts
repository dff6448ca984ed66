/**
 * A plain keyed store for live values: socket handlers write, one flush per frame notifies.
 *
 * Writing never runs React. A key that changed is marked dirty; the next animation frame (or a
 * 1 s timer while the tab is hidden, where frames stop) tells only that key's subscribers.
 */

type Listener = () => void;

/** When to flush: animation frame when visible, timer when hidden. */
export type Scheduler = (run: () => void) => void;

export const browserScheduler: Scheduler = (run) => {
  if (document.visibilityState === "hidden") setTimeout(run, 1000);
  else requestAnimationFrame(run);
};

export class KeyedStore<Values extends object> {
  private readonly values = new Map<keyof Values, unknown>();
  private readonly listeners = new Map<keyof Values, Set<Listener>>();
  private readonly dirty = new Set<keyof Values>();
  private readonly afterFlush = new Set<Listener>();
  private scheduled = false;

  constructor(private readonly schedule: Scheduler = browserScheduler) {}

  get<K extends keyof Values>(key: K): Values[K] | undefined {
    return this.values.get(key) as Values[K] | undefined;
  }

  set<K extends keyof Values>(key: K, value: Values[K]): void {
    if (Object.is(this.values.get(key), value)) return;
    this.values.set(key, value);
    this.mark(key);
  }

  delete(key: keyof Values): void {
    if (this.values.delete(key)) this.mark(key);
  }

  subscribe(key: keyof Values, listener: Listener): () => void {
    const set = this.listeners.get(key) ?? new Set<Listener>();
    this.listeners.set(key, set);
    set.add(listener);
    return () => {
      set.delete(listener);
    };
  }

  /** Run after every flush, when what was written is about to be painted. */
  onFlush(listener: Listener): () => void {
    this.afterFlush.add(listener);
    return () => {
      this.afterFlush.delete(listener);
    };
  }

  /** Notify subscribers of every dirty key now. */
  flush(): void {
    this.scheduled = false;
    const keys = [...this.dirty];
    this.dirty.clear();
    for (const key of keys) for (const listener of this.listeners.get(key) ?? []) listener();
    for (const listener of this.afterFlush) listener();
  }

  private mark(key: keyof Values): void {
    this.dirty.add(key);
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(() => this.flush());
  }
}
