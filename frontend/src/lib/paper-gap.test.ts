import { expect, it } from "vitest";

import * as fixtures from "@/testing/health-fixtures";
import { NOW } from "@/testing/now";

import { gapLines } from "./paper-gap";

it("stands both books and their gap beside each other and adds nothing up", () => {
  const lines = gapLines(fixtures.paper(NOW));
  expect(lines.map((line) => [line.asset, line.book])).toEqual([
    ["SOL", "live"],
    ["SOL", "paper"],
    ["SOL", "gap"],
    ["RENDER", "live"],
    ["RENDER", "paper"],
    ["RENDER", "gap"],
  ]);
  const [live, , gap, none, , noGap] = lines;
  expect(live?.capture).toBeCloseTo(146 / 178);
  expect([gap?.pnl, gap?.p50, gap?.figures]).toEqual(["0.3698", -72, null]);
  // A book without a window has no capture, not one of nothing.
  expect([none?.capture, none?.pnl, noGap?.pnl]).toEqual([null, null, null]);
});
