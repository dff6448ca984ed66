import { describe, expect, it } from "vitest";

import { actWord, causeWord, gateWord, limitWord, reasonWords, routeWord, ruleWord, spelled } from "./words";

describe("the back end's names", () => {
  it("have words, by their kind", () => {
    expect(gateWord("max_notional")).toBe("Max notional");
    expect(gateWord("daily_loss")).toBe("Daily loss limit");
    expect(limitWord("dex_impact")).toBe("DEX impact");
    expect(ruleWord("clock_skew")).toBe("Clock skew");
    expect(causeWord("book_moved")).toBe("Kraken moved");
    expect(actWord("cross_back")).toBe("Cross back");
    expect(routeWord("ok")).toBe("Quoted");
  });

  it("of a newer server are spelled out", () => {
    expect(limitWord("cex_balance")).toBe("CEX balance");
    expect(limitWord("")).toBe("");
    expect(spelled("never_seen")).toBe("Never seen");
  });

  it("never come from what every object has", () => {
    expect(gateWord("constructor")).toBe("Constructor");
  });
});

it("a reason's gate is named, other reasons stay", () => {
  expect(reasonWords("slot_lag: 9 (limit 3)")).toBe("Slots behind: 9 (limit 3)");
  expect(reasonWords("Kraken book stale: 12 s")).toBe("Kraken book stale: 12 s");
  expect(reasonWords("")).toBe("");
});
