// @vitest-environment jsdom
/** Modes, approvals and settings on real parts: a desk fed with fixtures, answers by address. */
import { act, fireEvent, render, screen, within } from "@testing-library/react";
import { MemoryRouter } from "react-router";
import { afterEach, describe, expect, it, vi } from "vitest";

import { Api } from "@/lib/api";
import { CommandCentre, newKey } from "@/lib/commands";
import { LiveContext } from "@/lib/live";
import { Session } from "@/lib/session";
import { Ticker } from "@/lib/ticker";
import * as found from "@/testing/health-fixtures";
import { fill, manualDesk, NOW } from "@/testing/now";

import { Assets } from "./assets";

interface Sent {
  readonly action: string;
  readonly scope: string;
}

async function show(permissions: string[], name = "operator-a") {
  const posted: [string, unknown][] = [];
  vi.stubGlobal("fetch", (address: string, init?: RequestInit) => {
    const json = (body: unknown) => Promise.resolve(new Response(JSON.stringify(body)));
    if (address === "/v1/auth/token") {
      return json({ access: "token", user: { username: name, role: "admin", permissions } });
    }
    if (init?.method === "POST") posted.push([address, JSON.parse(typeof init.body === "string" ? init.body : "null") as unknown]);
    if (address === "/v1/status") return json({ status: null, controls: found.controls(NOW) });
    if (address === "/v1/risk") return json(found.risk(NOW));
    return json(found.config(address.split("/")[3] ?? "", NOW));
  });
  const session = new Session();
  await session.signIn(name, "password");
  const desk = manualDesk();
  fill(desk, "healthy");
  const sent: Sent[] = [];
  const commands = new CommandCentre({
    send: (action, { scope }) => {
      sent.push({ action, scope });
      return Promise.resolve(`id-${action}`);
    },
    nowMs: () => NOW,
    newKey,
    applied: () => [],
  });
  const ticker = new Ticker(() => NOW);
  render(
    <LiveContext value={{ session, api: new Api(session), desk, ticker, commands }}>
      <MemoryRouter>
        <Assets />
      </MemoryRouter>
    </LiveContext>,
  );
  await act(async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
  return { sent, posted };
}

const button = (id: string) => screen.getByTestId<HTMLButtonElement>(id);

describe("assets", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("presses what the engine reports, and sends what a click asks for", async () => {
    const { sent } = await show(["read", "trade"]);
    expect(button("asset-mode-RENDER-paper").getAttribute("aria-pressed")).toBe("true");
    expect(button("asset-mode-SOL-live").getAttribute("aria-pressed")).toBe("true");
    fireEvent.click(button("asset-mode-SOL-paper"));
    expect(sent).toEqual([{ action: "paper", scope: "SOL" }]);
    // Asked for, not done: only the engine's word presses another button.
    expect(button("asset-mode-SOL-live").getAttribute("aria-pressed")).toBe("true");
  });

  it("leads from paper to live through observe only", async () => {
    await show(["read", "trade"]);
    expect(button("asset-mode-RENDER-live").disabled).toBe(true);
    expect(button("asset-mode-RENDER-live").title).toBe("From paper go to observe first");
    expect(button("asset-mode-RENDER-observe").disabled).toBe(false);
  });

  it("shows the strictest mode where the settings hold an asset back", async () => {
    await show(["read", "trade"]);
    expect(button("asset-mode-PYTH-live").getAttribute("aria-pressed")).toBe("true");
    expect(screen.getByTestId("asset-row-PYTH").getAttribute("data-state")).toBe("observe");
  });

  it("says what the desk could lose at most, and from what", async () => {
    await show(["read"]);
    const limits = screen.getByTestId("desk-limits").textContent;
    expect(limits).toContain("$4,210 of $60,000");
    expect(limits).toContain("Worst case with all limits open$412.40");
    expect(limits).toContain("17.2 s that proof takes, as measured");
  });

  it("says what ends a stop and who has ordered it", async () => {
    await show(["read", "trade"]);
    expect(screen.getByTestId("asset-leaves-RAY").textContent).toContain("two people");
    expect(screen.getByTestId("asset-leaves-RAY").textContent).toContain("operator-b");
  });

  it("gives a viewer every figure and no button", async () => {
    await show(["read"]);
    for (const one of screen.getAllByRole<HTMLButtonElement>("button")) expect(one.disabled).toBe(true);
    expect(screen.getByTestId("proposal-JUP-5").textContent).toContain("Needs administrator permission");
  });

  it("shows what a proposal changes and sends the decision with its reason", async () => {
    const { posted } = await show(["read", "trade", "admin"]);
    const proposal = screen.getByTestId("proposal-JUP-5");
    expect(proposal.textContent).toContain("Haircut bps1 → 2.4");
    expect(within(proposal).getAllByText("looser")).toHaveLength(1);
    fireEvent.click(button("proposal-approve-JUP-5"));
    expect(button("decide-confirm").disabled).toBe(true);
    fireEvent.change(screen.getByTestId("decide-reason"), { target: { value: "agreed" } });
    fireEvent.click(button("decide-confirm"));
    expect(posted.at(-1)).toEqual(["/v1/config/JUP/approve", { version: 5, reason: "agreed" }]);
  });

  it("does not let the one who asked approve", async () => {
    await show(["read", "trade", "admin"], "operator-b");
    expect(button("proposal-approve-JUP-5").disabled).toBe(true);
    expect(button("proposal-reject-JUP-5").disabled).toBe(false);
  });
});
