import { expect, it } from "vitest";

import { LEVELS, study } from "@/testing/report-fixtures";

import { place, scaleOf, thinned, ticks } from "./plot";
import { compared, estimateWords, isBeyond, PREDICTION_TARGETS, shareWords, worstFirst } from "./study";

it("never makes an empty scale, and holds what it was told to", () => {
  expect(place(scaleOf([5, 5]), 5)).toBe(0.5);
  expect(scaleOf([3, 9], [0])).toEqual({ low: 0, high: 9 });
  expect(scaleOf([])).toEqual({ low: 0, high: 1 });
});

it("puts ticks at round values inside the scale", () => {
  expect(ticks({ low: -30, high: 170 }, 4)).toEqual([0, 50, 100, 150]);
  expect(ticks({ low: 0, high: 0.9 }, 4).map((at) => at.toFixed(1))).toEqual(["0.0", "0.5"]);
});

it("thins a line without losing its ends", () => {
  const points = Array.from({ length: 1001 }, (_, index) => index);
  const kept = thinned(points, 11);
  expect(kept).toHaveLength(11);
  expect([kept[0], kept.at(-1)]).toEqual([0, 1000]);
  expect(thinned([1, 2], 11)).toEqual([1, 2]);
});

it("says n and interval with every share, and that there is no data", () => {
  expect(shareWords({ hits: 3, n: 4, value: 0.75, low: 0.3, high: 0.95 })).toBe("75.0% (30.0% to 95.0%, n 4)");
  expect(shareWords({ hits: 0, n: 0, value: null, low: null, high: null })).toBe("no data, n 0");
  expect(estimateWords({ value: null, low: null, high: null, n: 0 })).toBe("no data");
});

it("sets parameter sets side by side, one cell each", () => {
  const { columns } = study();
  for (const row of compared(columns)) expect(row.cells).toHaveLength(columns.length);
});

it("shows promises that fail first", () => {
  expect(worstFirst(LEVELS).map((level) => level.verdict)).toEqual([
    "fails", "holds", "holds", "holds", "no data", "no data",
  ]);
});

it("judges a bias on both sides of zero", () => {
  const [bias] = PREDICTION_TARGETS;
  if (bias === undefined) throw new Error("no bias");
  expect([0.11, -0.11, 0.1, null].map((value) => isBeyond(bias, value))).toEqual([true, true, false, null]);
});
