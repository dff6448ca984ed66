import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { CommandCentre, type CommandState, doubt, newKey, step } from "./commands";
import { ApiError } from "./session";

const sending: CommandState = { phase: "sending", startedMs: 1000, tries: 1 };
const accepted: CommandState = { phase: "accepted", startedMs: 1000, id: "c1" };

describe("truth states", () => {
  it("confirms only by the engine's echo of this command's id", () => {
    const other = step(accepted, { type: "echo", applied: ["c0"], atMs: 1200 });
    expect(other).toBe(accepted);
    expect(step(accepted, { type: "echo", applied: ["c0", "c1"], atMs: 1400 })).toEqual({
      phase: "confirmed",
      tookMs: 400,
      atMs: 1400,
    });
  });

  it("does not confirm what the server has not accepted", () => {
    expect(step(sending, { type: "echo", applied: ["c1"], atMs: 1400 })).toBe(sending);
  });

  it("ignores a second click and a dismissal while pending", () => {
    expect(step(sending, { type: "send", atMs: 5 })).toBe(sending);
    expect(step(accepted, { type: "send", atMs: 5 })).toBe(accepted);
    expect(step(accepted, { type: "clear" })).toBe(accepted);
  });

  it("neither confirms nor doubts what waits for a second person", () => {
    const waiting = step(sending, { type: "wait", atMs: 1100 });
    expect(waiting).toEqual({ phase: "waiting", atMs: 1100 });
    expect(step(waiting, { type: "echo", applied: ["c1"], atMs: 9000 })).toBe(waiting);
    expect(doubt(waiting, 9e9)).toBe("none");
    // The same person may order again, and nothing keeps the word on the screen.
    expect(step(waiting, { type: "send", atMs: 5 })).toMatchObject({ phase: "sending" });
    expect(step(waiting, { type: "clear" })).toEqual({ phase: "rest" });
  });

  it("doubts after 1 s and again after 3 s", () => {
    expect(doubt(accepted, 1999)).toBe("none");
    expect(doubt(accepted, 2000)).toBe("warn");
    expect(doubt(accepted, 4000)).toBe("crit");
    expect(doubt({ phase: "confirmed", tookMs: 1, atMs: 2 }, 9e9)).toBe("none");
  });
});

describe("the command centre", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function centre(send: (key: string) => Promise<string>) {
    const applied: string[] = [];
    const keys: string[] = [];
    let now = 0;
    const commands = new CommandCentre({
      send: (_action, _body, key) => {
        keys.push(key);
        return send(key);
      },
      nowMs: () => (now += 100),
      newKey,
      applied: () => applied,
    });
    return { commands, applied, keys };
  }
  const body = { scope: "*", reason: "test" };

  it("confirms when the echo overtakes the answer", async () => {
    const { commands, applied } = centre(() => Promise.resolve("c9"));
    applied.push("c9");
    commands.run("pause", body);
    await vi.advanceTimersByTimeAsync(0);
    expect(commands.all().pause.phase).toBe("confirmed");
  });

  it("stays accepted until the engine speaks, then rests again", async () => {
    const { commands } = centre(() => Promise.resolve("c9"));
    commands.run("pause", body);
    await vi.advanceTimersByTimeAsync(0);
    expect(commands.all().pause.phase).toBe("accepted");
    commands.echo(["c8"]);
    expect(commands.all().pause.phase).toBe("accepted");
    commands.echo(["c8", "c9"]);
    expect(commands.all().pause.phase).toBe("confirmed");
    await vi.advanceTimersByTimeAsync(4000);
    expect(commands.all().pause.phase).toBe("rest");
  });

  it("repeats a kill under one key until the server answers", async () => {
    let calls = 0;
    const { commands, keys } = centre(() => {
      calls += 1;
      return calls < 4 ? Promise.reject(new TypeError("network")) : Promise.resolve("k1");
    });
    commands.run("kill", body);
    await vi.advanceTimersByTimeAsync(1600);
    expect(commands.all().kill.phase).toBe("accepted");
    expect(calls).toBe(4);
    expect(new Set(keys).size).toBe(1);
  });

  it("gives up a kill after ten tries and says so", async () => {
    const { commands, keys } = centre(() => Promise.reject(new TypeError("network")));
    commands.run("kill", body);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(keys).toHaveLength(10);
    expect(commands.all().kill).toEqual({
      phase: "failed",
      cause: "The server could not be reached.",
      retry: true,
    });
  });

  it("does not repeat a pause by itself, and retries it under the same key", async () => {
    const { commands, keys } = centre(() => Promise.reject(new ApiError(503, "busy", "Busy.", null)));
    commands.run("pause", body);
    await vi.advanceTimersByTimeAsync(5000);
    expect(keys).toHaveLength(1);
    commands.retry("pause");
    await vi.advanceTimersByTimeAsync(0);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it("does not offer to retry what the server refused", async () => {
    const refused = new ApiError(403, "permission_denied", "Needs trade permission.", "r1");
    const { commands } = centre(() => Promise.reject(refused));
    commands.run("kill", body);
    await vi.advanceTimersByTimeAsync(5000);
    expect(commands.all().kill).toEqual({
      phase: "failed",
      cause: "Needs trade permission.",
      retry: false,
    });
  });

  it("lists the command that moved last at the end, and never lets one block another", async () => {
    const { commands } = centre((key) => (key === "" ? Promise.reject(new Error()) : new Promise(() => undefined)));
    commands.run("resume", body);
    commands.run("pause", body);
    await vi.advanceTimersByTimeAsync(0);
    expect(Object.keys(commands.all()).at(-1)).toBe("pause");
    expect(commands.all().resume.phase).toBe("sending");
  });
});

it("makes version 4 uuids", () => {
  const keys = Array.from({ length: 50 }, newKey);
  for (const key of keys) {
    expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  expect(new Set(keys).size).toBe(50);
});
