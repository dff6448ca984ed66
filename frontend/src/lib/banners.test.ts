import { describe, expect, it } from "vitest";

import * as fixtures from "@/testing/fixtures";
import { NOW } from "@/testing/now";
import { parkedTrade } from "@/testing/trade-fixtures";

import { type BannerInput, bannersFor, reasonText } from "./banners";
import type { Status } from "./frames";

const REST = { phase: "rest" } as const;

function input(over: Partial<BannerInput> & { scenario?: fixtures.Scenario }): BannerInput {
  const { scenario = "healthy", ...rest } = over;
  return {
    status: fixtures.status(NOW, scenario),
    connection: { phase: "open", sinceMs: 0, tries: 0, downMs: 0 },
    incidents: [],
    trades: [],
    commands: {
      pause: REST,
      resume: REST,
      observe: REST,
      paper: REST,
      live: REST,
      kill: REST,
      reset: REST,
    },
    nowMs: NOW,
    localMs: 60_000,
    ...rest,
  };
}
const kinds = (over: Parameters<typeof input>[0]) => bannersFor(input(over)).map((one) => one.kind);

describe("banners", () => {
  it("are none when healthy", () => {
    expect(kinds({})).toEqual([]);
  });

  it("name the asset, the cause with its limit, and how it clears", () => {
    const [banner] = bannersFor(input({ scenario: "auto-paused" }));
    expect(banner?.kind).toBe("auto-paused-assets");
    expect(banner?.title).toBe("RAY auto-paused");
    expect(banner?.body).toBe(
      "Kraken book stale: 12.4 s (limit 10 s). Other assets keep trading. Resumes after 30 s of fresh data.",
    );
  });

  it("collect every auto-paused asset in one row", () => {
    const status = fixtures.status(NOW, "auto-paused");
    const more = ["SOL", "JUP", "WIF"].flatMap((asset) =>
      status.reasons.map((reason) => ({ ...reason, asset })),
    );
    const [banner, ...rest] = bannersFor(
      input({ status: { ...status, reasons: [...status.reasons, ...more] } }),
    );
    expect(banner?.title).toBe("4 assets auto-paused");
    expect(rest).toEqual([]);
  });

  it("say of a loss rule that an operator must resume it", () => {
    const status = fixtures.status(NOW, "auto-paused");
    const reasons = status.reasons.map((reason) => ({ ...reason, rule: "daily_loss", text: "Daily loss" }));
    const [banner] = bannersFor(input({ status: { ...status, reasons } }));
    expect(banner?.body).toContain("Stays until an operator resumes it.");
  });

  it("put the worst first", () => {
    const status: Status = { ...fixtures.status(NOW, "killed"), mode: "halt" };
    expect(
      kinds({
        status,
        nowMs: NOW + 8000,
        connection: { phase: "lost", sinceMs: 52_000, tries: 3, downMs: 0 },
      }),
    ).toEqual(["killed", "connection", "no-signal"]);
  });

  it("mention a lost line only after a second, with its age and try", () => {
    const lost = (sinceMs: number) => ({ phase: "lost" as const, sinceMs, tries: 2, downMs: 0 });
    expect(kinds({ connection: lost(59_500) })).toEqual([]);
    const [banner] = bannersFor(input({ connection: lost(57_000) }));
    expect(`${banner?.title ?? ""} ${banner?.body ?? ""}`).toBe(
      "Live updates lost 3 s ago. Reconnecting, try 2. Pause and kill still work.",
    );
  });

  it("do not claim that commands work beside one that failed", () => {
    const commands = {
      ...input({}).commands,
      pause: { phase: "failed", cause: "The server could not be reached.", retry: true } as const,
    };
    const connection = { phase: "lost" as const, sinceMs: 57_000, tries: 2, downMs: 0 };
    const [first, second] = bannersFor(input({ commands, connection }));
    expect(first?.title).toBe("Pause was not sent.");
    expect(second?.body).toBe("Reconnecting, try 2.");
  });

  it("say for three seconds that the line is back", () => {
    const open = (sinceMs: number) => ({ phase: "open" as const, sinceMs, tries: 0, downMs: 4000 });
    expect(kinds({ connection: open(58_000) })).toEqual(["live-again"]);
    expect(kinds({ connection: open(56_900) })).toEqual([]);
  });

  it("warn of a command the engine has not confirmed for 3 s", () => {
    const commands = { ...input({}).commands, pause: { phase: "accepted", startedMs: 56_900, id: "c" } as const };
    const [banner] = bannersFor(input({ commands }));
    expect(banner?.tone).toBe("crit");
    expect(banner?.title).toBe("Engine has not confirmed. Orders may still be sent.");
  });

  it("offer to send again what was not sent, unless it was refused", () => {
    const failed = (retry: boolean) => ({
      ...input({}).commands,
      pause: { phase: "failed", cause: "The server did not answer in 3 s.", retry } as const,
    });
    expect(bannersFor(input({ commands: failed(true) }))[0]?.retry).toBe("pause");
    expect(bannersFor(input({ commands: failed(false) }))[0]?.retry).toBeUndefined();
  });

  it("name a venue in trouble once, not beside the asset it paused", () => {
    expect(kinds({ scenario: "stale" })).toEqual(["venue"]);
    const status = fixtures.status(NOW, "stale");
    const reasons = fixtures.status(NOW, "auto-paused").reasons;
    expect(kinds({ status: { ...status, reasons } })).toEqual(["auto-paused-assets"]);
  });
});

it("writes a reason with number and limit once", () => {
  expect(reasonText({ text: "Book stale", value: "12.4 s", limit: "10 s" })).toBe(
    "Book stale: 12.4 s (limit 10 s)",
  );
  expect(
    reasonText({ text: "Kraken feed silent for more than 10 s", value: "10.2 s", limit: "10 s" }),
  ).toBe("Kraken feed silent for more than 10 s: 10.2 s");
  expect(reasonText({ text: "Book stale 12.4 s (limit 10 s).", value: "12.4 s", limit: "10 s" })).toBe(
    "Book stale 12.4 s (limit 10 s)",
  );
  expect(reasonText({ text: "Paused by operator", value: "", limit: "" })).toBe("Paused by operator");
});

describe("a trade that waits for a person", () => {
  const parked = parkedTrade(NOW);
  const incidents = fixtures.incidents(NOW, "operator");

  it("has one red row, with the suggested act and a way to the trade", () => {
    const rows = bannersFor(input({ trades: [parked], incidents }));
    expect(rows.map((row) => [row.kind, row.tone])).toEqual([["operator", "crit"]]);
    expect(rows[0]?.body).toContain("Suggested: sell it on kraken, about 2.11 USD");
    expect(rows[0]?.trade).toBe(parked.id);
    expect(rows[0]?.acknowledge).toBe(43);
  });

  it("stays red after the alarm was acknowledged, and without any alarm", () => {
    const acked = incidents.map((one) => ({ ...one, state: "acked" as const }));
    const [row] = bannersFor(input({ trades: [parked], incidents: acked }));
    expect(row?.kind).toBe("operator");
    expect(row?.acknowledge).toBeUndefined();
    const [alone] = bannersFor(input({ trades: [parked] }));
    expect(alone?.body).toContain("4.2500 SOL left over: 3 hedges were not enough");
  });

  it("is named only while it waits; the alarm then stands for itself", () => {
    expect(kinds({ trades: [{ ...parked, state: "closed" }], incidents })).toEqual(["incident"]);
  });
});
