// @vitest-environment jsdom
/** The Overview on real parts: a desk fed with fixtures, no server. */
import { act, fireEvent, render, screen, within } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { BannerStack } from "@/components/banner-stack";
import { CommandStatus, KillSwitch, ObserveSwitch, PauseResume } from "@/components/command-controls";
import { EngineState } from "@/components/engine-state";
import { Api } from "@/lib/api";
import { CommandCentre, newKey } from "@/lib/commands";
import type { Desk } from "@/lib/desk";
import { LiveContext } from "@/lib/live";
import { Session } from "@/lib/session";
import { Ticker } from "@/lib/ticker";
import * as fixtures from "@/testing/fixtures";
import { fill, frame, manualDesk, NOW } from "@/testing/now";

import { attentionOrder } from "./attention-list";
import { Overview } from "./overview";
import { byNet } from "./row-order";

interface Call {
  action: string;
  reason: string;
  confirm?: string;
  incident?: number;
}

function grant(permissions: string[]) {
  return new Response(
    JSON.stringify({ access: "token", user: { username: "op", role: "operator", permissions } }),
  );
}

async function show(permissions: string[], scenario: fixtures.Scenario | null) {
  vi.stubGlobal("fetch", () => Promise.resolve(grant(permissions)));
  const session = new Session();
  await session.signIn("op", "password");
  const desk: Desk = manualDesk();
  const time = { now: NOW };
  const ticker = new Ticker(() => time.now);
  const calls: Call[] = [];
  const commands = new CommandCentre({
    send: (action, body) => {
      const { reason, confirm, incident } = body;
      calls.push({
        action,
        reason,
        ...(confirm === undefined ? {} : { confirm }),
        ...(incident === undefined ? {} : { incident }),
      });
      return Promise.resolve(`id-${action}`);
    },
    nowMs: () => performance.now(),
    newKey,
    applied: () => desk.store.get("status")?.applied_commands ?? [],
  });
  desk.store.subscribe("status", () => commands.echo(desk.store.get("status")?.applied_commands ?? []));
  if (scenario !== null) fill(desk, scenario);
  render(
    <LiveContext value={{ session, api: new Api(session), desk, ticker, commands }}>
      <MemoryRouter>
        <EngineState />
        <ObserveSwitch />
        <PauseResume />
        <KillSwitch asking={false} onAsk={() => undefined} />
        <CommandStatus />
        <BannerStack />
        <Overview />
      </MemoryRouter>
    </LiveContext>,
  );
  let seq = 1;
  return {
    desk,
    calls,
    at: (ms: number) => {
      time.now = NOW + ms;
      act(() => ticker.beat());
    },
    engine: (mode: Parameters<typeof fixtures.status>[2], applied: string[] = []) => {
      seq += 1;
      act(() => {
        desk.apply(frame("status", seq, "delta", fixtures.status(NOW, "healthy", mode, applied)));
        desk.store.flush();
      });
    },
  };
}

const state = (id: string) => screen.getByTestId(id).dataset["state"];
const value = (id: string) => screen.getByTestId(id).dataset["value"];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("overview", () => {
  it("shows exact values, limits and reasons", async () => {
    await show(["trade"], "auto-paused");
    act(() => {
      vi.advanceTimersByTime(1);
    });
    expect(state("engine-state")).toBe("live");
    expect(value("kpi-notional")).toBe("412630.18");
    expect(screen.getByTestId("kpi-notional").textContent).toBe("$412.6k");
    expect(state("spread-state-SOL")).toBe("armed");
    expect(value("spread-limit-SOL")).toBe("dex_impact");
    expect(screen.getByTestId("spread-limit-RAY").textContent).toBe("Kraken book stale");
    expect(screen.getByTestId("spread-net-RAY").textContent).toContain("—");
    expect(state("banner-auto-paused-assets")).toBe("warn");
    expect(screen.getAllByTestId(/^execution-/)).toHaveLength(5);
    expect(state("drift-row-JUP")).toBe("over");
    const last = within(screen.getByTestId("spreads-table")).getAllByTestId(/^spread-row-/).at(-1);
    expect(last?.dataset["testid"]).toBe("spread-row-RAY");
  });

  it("takes the colour and the derived values from stale rows", async () => {
    const { at } = await show(["trade"], "healthy");
    expect(screen.getByTestId("spread-net-SOL").className).toContain("text-lime");
    at(2500);
    expect(state("spread-age-SOL")).toBe("stale");
    expect(screen.getByTestId("spread-net-SOL").className).not.toContain("text-lime");
    expect(screen.getByTestId("spread-net-SOL").textContent).toContain("—");
    at(3500);
    expect(state("engine-state")).toBe("no_signal");
    expect(state("banner-no-signal")).toBe("warn");
  });

  it("shows its shape before data, and says why a card is empty", async () => {
    const { desk } = await show(["trade"], null);
    expect(state("engine-state")).toBe("no_signal");
    expect(screen.queryByTestId("spreads-table")).toBeNull();
    act(() => fill(desk, "empty"));
    expect(screen.getByText(/No assets enabled/)).toBeTruthy();
    expect(screen.getByText("No trades yet today")).toBeTruthy();
    expect(screen.getByText(/No executions yet/)).toBeTruthy();
    expect(screen.getByText(/Nothing needs attention/)).toBeTruthy();
  });
});

describe("commands", () => {
  it("show PAUSED only after the engine's echo", async () => {
    const { engine, calls } = await show(["trade"], "healthy");
    fireEvent.click(screen.getByTestId("pause-button"));
    fireEvent.click(screen.getByTestId("pause-button"));
    await act(() => vi.advanceTimersByTimeAsync(0));
    expect(calls).toHaveLength(1);
    expect(state("command-status")).toBe("accepted");
    expect(state("engine-state")).toBe("live");
    engine("stop_new", ["another"]);
    expect(state("command-status")).toBe("accepted");
    engine("stop_new", ["another", "id-pause"]);
    expect(state("command-status")).toBe("confirmed");
    expect(state("engine-state")).toBe("paused");
    expect(screen.queryByTestId("pause-button")).toBeNull();
  });

  it("ask for a reason before resuming", async () => {
    const { engine, calls } = await show(["trade"], "healthy");
    engine("stop_new");
    fireEvent.click(screen.getByTestId("resume-button"));
    const confirm = screen.getByTestId<HTMLButtonElement>("resume-confirm");
    expect(confirm.disabled).toBe(true);
    fireEvent.change(screen.getByTestId("resume-reason"), { target: { value: " checked " } });
    fireEvent.click(confirm);
    await act(() => vi.advanceTimersByTimeAsync(0));
    expect(calls).toEqual([{ action: "resume", reason: "checked" }]);
  });

  it("go live only with the typed phrase; observe only is one click", async () => {
    const { engine, calls } = await show(["trade"], "healthy");
    fireEvent.click(screen.getByTestId("observe-toggle"));
    await act(() => vi.advanceTimersByTimeAsync(0));
    expect(calls[0]?.action).toBe("observe");
    engine("observe", ["id-observe"]);
    expect(screen.getByTestId("observe-toggle").getAttribute("aria-checked")).toBe("true");
    fireEvent.click(screen.getByTestId("observe-toggle"));
    fireEvent.change(screen.getByTestId("live-reason"), { target: { value: "open" } });
    fireEvent.change(screen.getByTestId("live-phrase"), { target: { value: "go live" } });
    expect(screen.getByTestId<HTMLButtonElement>("live-confirm").disabled).toBe(true);
    fireEvent.change(screen.getByTestId("live-phrase"), { target: { value: "GO LIVE" } });
    fireEvent.click(screen.getByTestId("live-confirm"));
    await act(() => vi.advanceTimersByTimeAsync(0));
    expect(calls[1]).toEqual({ action: "live", reason: "open", confirm: "GO LIVE" });
  });

  it("reset a kill only for an administrator, with the incident's number and a reason", async () => {
    const { calls } = await show(["trade", "admin"], "killed");
    fireEvent.click(screen.getByTestId("kill-reset"));
    const confirm = screen.getByTestId<HTMLButtonElement>("reset-confirm");
    fireEvent.change(screen.getByTestId("reset-reason"), { target: { value: "checked" } });
    fireEvent.change(screen.getByTestId("reset-incident"), { target: { value: "4x" } });
    expect(confirm.disabled).toBe(true);
    fireEvent.change(screen.getByTestId("reset-incident"), { target: { value: "43" } });
    fireEvent.click(confirm);
    await act(() => vi.advanceTimersByTimeAsync(0));
    expect(calls).toEqual([{ action: "reset", reason: "checked", incident: 43 }]);
  });

  it("show an operator that only an administrator resets", async () => {
    await show(["trade"], "killed");
    expect(screen.queryByTestId("kill-reset")).toBeNull();
    expect(state("kill-button")).toBe("active");
  });

  it("are locked for a viewer, who sees everything else", async () => {
    await show(["read"], "healthy");
    expect(screen.getByTestId<HTMLButtonElement>("pause-button").disabled).toBe(true);
    expect(screen.getByTestId<HTMLButtonElement>("observe-toggle").disabled).toBe(true);
    expect(state("kill-button")).toBe("locked");
    expect(state("engine-state")).toBe("live");
  });
});

describe("order", () => {
  it("of rows is by net edge, unknown last, ties by name", () => {
    const net: Record<string, number | null> = { B: 2, A: 2, C: null, D: 7, E: null };
    expect(byNet(["E", "C", "B", "A", "D"], (asset) => net[asset] ?? null)).toEqual(["D", "A", "B", "C", "E"]);
  });

  it("of alarms is open before closed and worse before milder", () => {
    const numbers = attentionOrder(fixtures.incidents(NOW, "auto-paused")).map((one) => one.number);
    expect(numbers).toEqual([42, 41, 40, 39]);
  });
});
