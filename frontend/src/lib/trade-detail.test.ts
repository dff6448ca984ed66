import { describe, expect, it } from "vitest";

import { NOW } from "@/testing/now";
import { parkedTrade, tradeError, tradePicture } from "@/testing/trade-fixtures";

import { parseDecimal, plain, subtract } from "./decimal";
import {
  errorTerms,
  evidenceOf,
  mayStillLand,
  minus,
  orderOptions,
  predictedTerms,
  type Term,
  verdictsOf,
} from "./trade-detail";

const trade = parkedTrade(NOW);
const picture = tradePicture(trade);

function sum(terms: readonly Term[]): string {
  let total = { units: 0n, scale: 6 };
  for (const term of terms) {
    const value = parseDecimal(minus(term.usd));
    if (value === null) throw new Error(term.usd);
    total = subtract(total, value);
  }
  return plain(total);
}

describe("the terms shown", () => {
  it("add up to what is expected", () => {
    expect(sum(predictedTerms(picture.intent.pnl))).toBe(picture.intent.pnl.expected);
  });

  it("add up to the error", () => {
    const { causes } = tradeError({ ...trade, realised_pnl_usd: "2.4621" });
    if (causes === null) throw new Error("not booked");
    expect(sum(errorTerms(causes))).toBe(causes.error_usd);
  });
});

it("puts the order with the best expected value first", () => {
  expect(orderOptions(picture.intent.verdict).map((one) => one.order)).toEqual([
    "concurrent",
    "dex_first",
    "cex_first",
  ]);
});

it("reads events and questions as evidence, lists of answers included", () => {
  const dead = picture.attempts.find((one) => one.state === "dead");
  const [failed, asked] = dead === undefined ? [] : evidenceOf(dead);
  expect(failed?.what).toBe("landed failed");
  expect(asked?.what).toBe("signature statuses with history, and the finalized height");
  expect(asked?.answer).toBe("not found; height 291345402");
});

it("lists verdicts newest first, with ways that were not open and why", () => {
  const [newest, first] = verdictsOf(picture);
  expect([newest?.act, first?.act]).toEqual(["operator", "hedge"]);
  expect(newest?.ways.find((way) => way.act === "keep")).toEqual({
    act: "keep",
    venue: "",
    costUsd: null,
    why: "784 USD, more than 100 may stay",
  });
});

it("offers to stop re-sending only while a swap may still land", () => {
  const [cex, dex] = trade.legs;
  if (cex === undefined || dex === undefined) throw new Error("no legs");
  expect(mayStillLand(trade)).toBe(false);
  expect(mayStillLand({ ...trade, legs: [cex, { ...dex, state: "unknown" }] })).toBe(true);
  expect(mayStillLand({ ...trade, legs: [{ ...cex, state: "unknown" }, dex] })).toBe(false);
  expect(mayStillLand({ ...trade, state: "closed", legs: [{ ...dex, state: "acked" }] })).toBe(false);
});
