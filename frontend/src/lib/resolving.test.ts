import { describe, expect, it } from "vitest";

import { NOW } from "@/testing/now";
import { order } from "@/testing/trade-fixtures";

import { addressOf } from "./api";
import { isOpen, orderWords, PREVIEW_LIFE_MS, previewLeft, previewOf, previewWords, suggestedAct } from "./resolving";

describe("a preview", () => {
  it("names the price and the limit it binds to", () => {
    const preview = previewOf(order(NOW));
    expect(preview === null ? "" : previewWords(preview, "SOL")).toBe(
      "Sell 4.2500 SOL on Kraken at 184.38, never below 183.83",
    );
  });

  it("can be confirmed for a minute after the engine answered, not longer", () => {
    const preview = previewOf(order(NOW));
    if (preview === null) throw new Error("no preview");
    expect(previewLeft(preview, preview.atMs)).toBe(PREVIEW_LIFE_MS);
    expect(previewLeft(preview, preview.atMs + PREVIEW_LIFE_MS - 1)).toBe(1);
    expect(previewLeft(preview, preview.atMs + PREVIEW_LIFE_MS)).toBe(0);
    expect(previewLeft(preview, preview.atMs + 10 * PREVIEW_LIFE_MS)).toBe(0);
  });

  it("is nothing to confirm before it is done, and no other act is one", () => {
    expect(previewOf(undefined)).toBeNull();
    expect(previewOf(order(NOW, { state: "taken", answered_at_ns: null }))).toBeNull();
    expect(previewOf(order(NOW, { state: "refused" }))).toBeNull();
    expect(previewOf(order(NOW, { act: "flatten" }))).toBeNull();
  });
});

describe("an order", () => {
  it("is never called done before the engine answered", () => {
    for (const state of ["waiting", "requested", "taken"] as const) {
      expect(isOpen({ state })).toBe(true);
      expect(orderWords(order(NOW, { state }))).not.toContain("Done");
    }
    expect(orderWords(order(NOW, { state: "done", answer: "kept" }))).toBe("Done: kept");
    expect(orderWords(order(NOW, { state: "refused", answer: "no usable book now" }))).toBe(
      "Refused: no usable book now",
    );
    expect(isOpen({ state: "expired" })).toBe(false);
  });
});

it("chooses the act a suggestion names", () => {
  expect(suggestedAct("sell it on kraken, about 2.11 USD")).toBe("flatten");
  expect(suggestedAct("flatten when the market is back, or keep it as inventory")).toBe("flatten");
  expect(suggestedAct("keep it as inventory, about 0.20 USD at risk")).toBe("keep");
  expect(suggestedAct("")).toBeNull();
});

it("fills an address and puts the rest into the query", () => {
  expect(addressOf("/v1/trades/{trade_id}", { trade_id: "a/b" })).toBe("/v1/trades/a%2Fb");
  expect(addressOf("/v1/trades", { book: "paper", limit: "5" })).toBe("/v1/trades?book=paper&limit=5");
});
