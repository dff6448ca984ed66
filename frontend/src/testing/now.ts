/** A fixed instant and a scheduler that flushes when told, for tests. */
import { Desk } from "../lib/desk";
import type { Frame, StreamName } from "../lib/frames";
import * as fixtures from "./fixtures";

export const NOW = Date.UTC(2026, 10, 22, 14, 32, 11, 84);

/** A desk whose writes notify nobody until `store.flush()`. */
export function manualDesk(): Desk {
  return new Desk(() => undefined);
}

/** A frame as the server would send it; `data` is checked by the test that uses it. */
export function frame<S extends StreamName>(
  stream: S,
  seq: number,
  kind: "snapshot" | "delta",
  data: Extract<Frame, { stream: S }>["data"],
  publishedMs = NOW,
): Frame {
  return { stream, seq, kind, published_at_ns: publishedMs * 1e6, data } as Frame;
}

/** Feed a desk one snapshot of every stream of a scenario. */
export function fill(desk: Desk, scenario: fixtures.Scenario, nowMs = NOW): void {
  desk.apply(frame("status", 1, "snapshot", fixtures.status(nowMs, scenario)));
  desk.apply(frame("spreads", 1, "snapshot", fixtures.spreads(nowMs, scenario)));
  desk.apply(frame("metrics", 1, "snapshot", fixtures.metrics(nowMs, scenario)));
  desk.apply(frame("inventory", 1, "snapshot", fixtures.inventory(nowMs, scenario)));
  desk.apply(frame("trades", 1, "snapshot", { rows: fixtures.trades(nowMs, scenario) }));
  desk.apply(frame("incidents", 1, "snapshot", { rows: fixtures.incidents(nowMs, scenario) }));
  const rows = fixtures.opportunities(nowMs, scenario);
  desk.apply(frame("opportunities", 1, "snapshot", { rows }));
  desk.store.flush();
}
