import { describe, expect, it } from "vitest";

import * as format from "./format";

describe("money", () => {
  it.each([
    ["8.41", "+$8.41"],
    ["-1.37", "−$1.37"],
    ["0", "$0.00"],
    ["-0.004", "$0.00"],
    ["0.005", "+$0.01"],
    ["1284.37", "+$1,284.37"],
    ["-1234567.891", "−$1,234,567.89"],
    ["90071992547409931.25", "+$90,071,992,547,409,931.25"],
    ["garbage", "—"],
  ])("writes P&L %s as %s", (text, shown) => {
    expect(format.pnl(text)).toBe(shown);
  });

  it("gives what rounds to zero no sign and no colour", () => {
    expect(format.pnlSign("-0.004")).toBe(0);
    expect(format.pnlSign("-0.006")).toBe(-1);
  });

  it.each([
    ["412630.18", "$412.6k"],
    ["1000000", "$1.0M"],
    ["999960", "$1.0M"],
    ["99999.99", "$99,999.99"],
    ["100000", "$100.0k"],
    ["2449999999", "$2.4B"],
    ["-512400", "−$512.4k"],
  ])("writes headline %s as %s", (text, shown) => {
    expect(format.usdCompact(text)).toBe(shown);
  });

  it("writes tables in full", () => {
    expect(format.usd("18419.5")).toBe("$18,420");
    expect(format.usd("-0.4")).toBe("$0");
    expect(format.usd("1402.1", 2)).toBe("$1,402.10");
  });
});

describe("price and quantity", () => {
  it.each([
    ["184.62", undefined, "184.62"],
    ["184.60", undefined, "184.60"],
    ["0.00002841", undefined, "0.0₄2841"],
    ["0.000000000000128", undefined, "0.0₁₂128"],
    ["0.0001234", undefined, "0.0001234"],
    ["184.9712345", 2, "184.97"],
    ["43211.5", undefined, "43,211.5"],
    ["0.0000", undefined, "0.0000"],
  ])("writes price %s with %s decimals as %s", (text, decimals, shown) => {
    expect(format.price(text, decimals)).toBe(shown);
  });

  it("keeps a quantity's trailing zeros", () => {
    expect(format.quantity("1240.00")).toBe("1,240.00");
    expect(format.quantity(null)).toBe("—");
  });
});

describe("rates, ages and times", () => {
  it.each([
    [7.84, true, "+7.8"],
    [-11.52, true, "−11.5"],
    [0.04, true, "0.0"],
    [-0.04, true, "0.0"],
    [19, false, "19.0"],
    [null, true, "—"],
  ])("writes %s bps (signed %s) as %s", (value, signed, shown) => {
    expect(format.bps(value, signed)).toBe(shown);
  });

  it.each([
    [0.648, "64.8%"],
    [1, "100%"],
    [0.9999, "99.9%"],
    [0.0004, "<0.1%"],
    [0, "0%"],
    [null, "—"],
  ])("writes share %s as %s", (share, shown) => {
    expect(format.percent(share)).toBe(shown);
  });

  it.each([
    [612.4, "612 ms"],
    [999.4, "999 ms"],
    [999.6, "1.00 s"],
    [1310, "1.31 s"],
    [0.24, "0.24 ms"],
    [4.25, "4.3 ms"],
    [null, "—"],
  ])("writes latency %s as %s", (ms, shown) => {
    expect(format.latency(ms)).toBe(shown);
  });

  it.each([
    [84, "84 ms"],
    [12_400, "12.4 s"],
    [59_940, "59.9 s"],
    [60_000, "1 min 00 s"],
    [185_000, "3 min 05 s"],
    [7_440_000, "2 h 04 min"],
    [-20, "0 ms"],
  ])("writes age %s as %s", (ms, shown) => {
    expect(format.age(ms)).toBe(shown);
  });

  it("puts the date in front only when it is another UTC day", () => {
    const at = Date.UTC(2026, 10, 22, 14, 32, 7, 412);
    expect(format.utcStamp(at, at + 1000)).toBe("14:32:07.412");
    expect(format.utcStamp(at, at + 86_400_000)).toBe("2026-11-22 14:32:07.412");
  });

  it("compares what came with what was predicted", () => {
    expect(format.deviationPercent("8.41", "7.79")).toBeCloseTo(7.96, 2);
    expect(format.deviationPercent("-1.37", "7.61")).toBeCloseTo(-118, 1);
    expect(format.deviationPercent("-2", "-1")).toBeCloseTo(-100, 6);
    expect(format.deviationPercent("1", "0.00")).toBeNull();
  });

  it("gives the Wilson interval of a share", () => {
    const [low, high] = format.wilson(148, 228) ?? [0, 0];
    expect(low).toBeCloseTo(0.5851, 3);
    expect(high).toBeCloseTo(0.7081, 3);
    expect(format.wilson(0, 0)).toBeNull();
  });
});
