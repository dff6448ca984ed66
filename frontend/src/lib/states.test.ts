import { describe, expect, it } from "vitest";

import * as fixtures from "@/testing/fixtures";
import { NOW } from "@/testing/now";

import { feedAge } from "./feed-age";
import type { Mode } from "./frames";
import { position, shownBins } from "./histogram";
import { directionEnds, engineState, freshness, observeOn, shownDirection } from "./states";

describe("the engine's state", () => {
  it.each<[Mode, string]>([
    ["live", "live"],
    ["observe", "observe"],
    ["paper", "paper"],
    ["hedge_only", "auto_paused"],
    ["stop_new", "paused"],
    ["halt", "killed"],
  ])("shows %s as %s", (mode, state) => {
    expect(engineState(fixtures.status(NOW, "healthy", mode), NOW + 2900)).toBe(state);
  });

  it("is unknown without a beat for 3 s, or before any", () => {
    expect(engineState(fixtures.status(NOW, "healthy"), NOW + 3100)).toBe("no_signal");
    expect(engineState(undefined, NOW)).toBe("no_signal");
  });

  it("reports observe only also under a stricter mode", () => {
    const status = fixtures.status(NOW, "healthy", "stop_new");
    expect(observeOn(status)).toBe(false);
    const reason = { asset: "*", mode: "observe" as const, rule: "", text: "", value: "", limit: "", since_ns: 0 };
    expect(observeOn({ ...status, reasons: [reason] })).toBe(true);
    expect(observeOn({ ...status, reasons: [{ ...reason, asset: "SOL" }] })).toBe(false);
  });
});

describe("direction", () => {
  it("is the sign of the gross gap: buy where it is cheaper", () => {
    for (const row of fixtures.spreads(NOW, "healthy").rows) {
      const dearer = Number(row.dex_price) > Number(row.cex_price) ? "K>S" : "S>K";
      expect(shownDirection(row)).toBe(dearer);
    }
    expect(shownDirection({ direction: "buy_dex_sell_cex", gross_bps: 4 })).toBe("S>K");
  });

  it("is not shown without a gap, nor for an unknown word", () => {
    expect(shownDirection({ direction: "buy_dex_sell_cex", gross_bps: null })).toBeNull();
    expect(directionEnds("sideways")).toBeNull();
  });
});

describe("age", () => {
  const row = { proof_age_ms: 80, at_ns: NOW * 1e6 };

  it("of a quiet row follows the venues' proof of life", () => {
    const later = fixtures.status(NOW + 9000, "healthy");
    expect(feedAge(row, later, NOW + 9100)).toBe(220);
  });

  it("grows when the line is lost", () => {
    expect(feedAge(row, fixtures.status(NOW, "healthy"), NOW + 9000)).toBe(9080);
  });

  it("of a row that was stale when sent is not excused by a healthy venue", () => {
    const stale = { proof_age_ms: 12_400, at_ns: NOW * 1e6 };
    expect(feedAge(stale, fixtures.status(NOW + 500, "healthy"), NOW + 500)).toBe(12_400);
  });

  it("is unknown before the first proof", () => {
    expect(feedAge({ proof_age_ms: null, at_ns: 0 }, undefined, NOW)).toBeNull();
    expect(freshness("spreads", null)).toBe("unknown");
    expect(freshness("spreads", 499)).toBe("fresh");
    expect(freshness("spreads", 500)).toBe("ageing");
    expect(freshness("spreads", 2000)).toBe("stale");
  });
});

describe("histogram", () => {
  const histogram = {
    edges_us: [100, 200, 400, 800],
    counts: [0, 0, 5, 3, 0],
    p50_us: 300,
    p95_us: 700,
    p99_us: 790,
    count: 8,
  };

  it("drops the empty tails but one bin each side", () => {
    expect(shownBins(histogram).map((bin) => bin.lowUs)).toEqual([100, 200, 400, 800]);
    expect(shownBins({ ...histogram, counts: [0, 0, 0, 0, 0] })).toEqual([]);
  });

  it("places a value inside its bin", () => {
    const bins = shownBins(histogram);
    expect(position(bins, 300)).toBeCloseTo((1 + 0.5) / 4, 9);
    expect(position(bins, 50)).toBeNull();
    expect(position(bins, 5000)).toBeCloseTo(3.5 / 4, 9);
  });
});
