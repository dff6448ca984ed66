import { expect, it } from "vitest";

import { slackWords, unitsWords } from "./bid";

const DECIDED = 1_000_000_000_000;

it("says what a compute-unit limit was made from", () => {
  expect(unitsWords({ units: 200_000, source: "prior", samples: 0, largest: 0, at_ns: 0 }, DECIDED)).toBe("200,000, a prior");
  const measured = { units: 74_350, source: "simulation" as const, samples: 20, largest: 49_000, at_ns: DECIDED - 3e9 };
  expect(unitsWords(measured, DECIDED)).toBe("74,350, by simulation: 20 samples, most used 49,000, 3.0 s before the decision");
});

it("says how the slack is shared, evenly until enough trades", () => {
  expect(slackWords({ cex_share: "0.5", trades: 7, cex_bps: 0, dex_bps: 0, at_ns: 0 })).toBe("50% each until 20 trades, 7 so far");
  expect(slackWords({ cex_share: "0.37", trades: 31, cex_bps: 1.2, dex_bps: 2.1, at_ns: 0 })).toBe(
    "37.0% Kraken, 63.0% pool (31 trades; moved 1.2 and 2.1 bps)",
  );
});
