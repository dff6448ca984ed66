import { describe, expect, it } from "vitest";

import { NOW } from "@/testing/now";

import { standing } from "./inspection-card";
import { stageSpans } from "./starts";

describe("a finding", () => {
  const green = { is_green: true, at_ns: (NOW - 60_000) * 1e6, lasts_s: 900 };

  it("counts while it is young enough", () => {
    expect(standing(green, NOW)).toBe("green");
    expect(standing(green, NOW + 900_000)).toBe("old");
    expect(standing({ ...green, lasts_s: null }, NOW + 9e9)).toBe("green");
  });

  it("is red at any age", () => {
    expect(standing({ ...green, is_green: false }, NOW + 9e9)).toBe("red");
  });
});

describe("the stages of a start", () => {
  it("take what they need beyond the one that ended before", () => {
    const spans = stageSpans({ leased: 1000, loaded: 900, connected: 960 });
    expect(spans).toEqual([
      { name: "loaded", tookMs: 900 },
      { name: "connected", tookMs: 60 },
      { name: "leased", tookMs: 40 },
    ]);
    expect(stageSpans({})).toEqual([]);
  });
});
