import { describe, expect, it, vi } from "vitest";

import * as fixtures from "@/testing/fixtures";
import { fill, frame, manualDesk, NOW } from "@/testing/now";

import { Desk, EVENT_LIMIT, mergeRows } from "./desk";
import { frameSchema } from "./frames";

const spreads = (seq: number, kind: "snapshot" | "delta", assets?: string[]) => {
  const { rows } = fixtures.spreads(NOW, "healthy");
  const kept = assets === undefined ? rows : rows.filter((row) => assets.includes(row.asset));
  return frame("spreads", seq, kind, { rows: kept });
};

const [trade] = fixtures.trades(NOW, "healthy");
if (trade === undefined) throw new Error("fixtures hold no trade");

describe("sequence", () => {
  it("asks for a snapshot at a gap and applies nothing until it comes", () => {
    const desk = manualDesk();
    expect(desk.apply(spreads(1, "snapshot", ["SOL"]))).toBe("applied");
    expect(desk.apply(spreads(2, "delta", ["JUP"]))).toBe("applied");
    expect(desk.apply(spreads(4, "delta", ["WIF"]))).toBe("gap");
    expect(desk.apply(spreads(5, "delta", ["JTO"]))).toBe("waiting");
    expect(desk.store.get("assets")).toEqual(["SOL", "JUP"]);
    expect(desk.apply(spreads(9, "snapshot", ["RAY"]))).toBe("applied");
    expect(desk.store.get("assets")).toEqual(["RAY"]);
    expect(desk.store.get("spread:SOL")).toBeUndefined();
    expect(desk.apply(spreads(10, "delta", ["SOL"]))).toBe("applied");
    expect(desk.store.get("assets")).toEqual(["RAY", "SOL"]);
  });

  it("counts each stream by itself, and each connection from its own beginning", () => {
    const desk = manualDesk();
    fill(desk, "healthy");
    expect(desk.apply(frame("status", 2, "delta", fixtures.status(NOW, "killed")))).toBe("applied");
    expect(desk.apply(frame("metrics", 3, "delta", fixtures.metrics(NOW, "healthy")))).toBe("gap");
    desk.restart();
    expect(desk.apply(frame("metrics", 1, "delta", fixtures.metrics(NOW, "healthy")))).toBe("applied");
  });

  it("sees a repeated or older number as a gap too", () => {
    const desk = manualDesk();
    desk.apply(spreads(5, "snapshot"));
    expect(desk.apply(spreads(5, "delta"))).toBe("gap");
  });
});

describe("rows", () => {
  it("keeps the highest version whatever the order of arrival", () => {
    const desk = manualDesk();
    const send = (seq: number, version: number, pnl: string) =>
      desk.apply(
        frame("trades", seq, "delta", { rows: [{ ...trade, version, realised_pnl_usd: pnl }] }),
      );
    send(1, 2, "2.00");
    send(2, 4, "4.00");
    send(3, 3, "3.00");
    expect(desk.store.get("trades")).toHaveLength(1);
    expect(desk.store.get("trades")?.[0]?.realised_pnl_usd).toBe("4.00");
  });

  it("shows newest first and forgets beyond the limit", () => {
    const rows = Array.from({ length: EVENT_LIMIT + 5 }, (_, id) => ({ id, version: 0 }));
    const merged = mergeRows([], rows, (row) => row.id, (row) => row.id);
    expect(merged).toHaveLength(EVENT_LIMIT);
    expect(merged[0]?.id).toBe(EVENT_LIMIT + 4);
    expect(merged.at(-1)?.id).toBe(5);
  });

  it("remembers the most decimals a market has shown", () => {
    const desk = manualDesk();
    const [row] = fixtures.spreads(NOW, "healthy").rows;
    if (row === undefined) throw new Error("fixtures hold no spread");
    desk.apply(frame("spreads", 1, "snapshot", { rows: [{ ...row, cex_price: "184.62" }] }));
    desk.apply(frame("spreads", 2, "delta", { rows: [{ ...row, cex_price: "184.6" }] }));
    expect(desk.store.get("spread:SOL")?.decimals).toBe(2);
  });
});

describe("notification", () => {
  it("tells only the row that changed, once per flush", () => {
    const desk = manualDesk();
    fill(desk, "healthy");
    const sol = vi.fn();
    const jup = vi.fn();
    desk.store.subscribe("spread:SOL", sol);
    desk.store.subscribe("spread:JUP", jup);
    desk.apply(spreads(2, "delta", ["SOL"]));
    desk.apply(spreads(3, "delta", ["SOL"]));
    expect(sol).not.toHaveBeenCalled();
    desk.store.flush();
    expect(sol).toHaveBeenCalledTimes(1);
    expect(jup).not.toHaveBeenCalled();
  });

  it("schedules one flush for many writes", () => {
    const runs: (() => void)[] = [];
    const { store } = new Desk((run) => runs.push(run));
    store.set("dropped", 1);
    store.set("screenAge", 5);
    expect(runs).toHaveLength(1);
    runs[0]?.();
    store.set("screenAge", 6);
    expect(runs).toHaveLength(2);
  });
});

describe("the edge", () => {
  it("takes what the engine sends, with its tags", () => {
    const sent = frame("status", 1, "snapshot", {
      ...fixtures.status(NOW, "auto-paused"),
      type: "status",
    } as ReturnType<typeof fixtures.status>);
    expect(frameSchema.safeParse(JSON.parse(JSON.stringify(sent))).success).toBe(true);
  });

  it.each([
    ["a number where decimal text belongs", { size_usd: 12.5 }],
    ["NaN as text", { size_usd: "NaN" }],
    ["an unknown state", { state: "happy" }],
    ["a missing age", { proof_age_ms: undefined }],
    ["an empty asset", { asset: "" }],
  ])("refuses %s", (_, wrong) => {
    const [row] = fixtures.spreads(NOW, "healthy").rows;
    const sent = { ...spreads(1, "delta"), data: { rows: [{ ...row, ...wrong }] } };
    expect(frameSchema.safeParse(JSON.parse(JSON.stringify(sent))).success).toBe(false);
  });
});
