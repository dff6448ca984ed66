/** The connection against a real socket server on loopback. */
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket as WireSocket, WebSocketServer } from "ws";

import * as fixtures from "@/testing/fixtures";
import { manualDesk, NOW } from "@/testing/now";

import { ServerClock } from "./clock";
import { backoffMs, StreamConnection } from "./connection";
import type { Desk } from "./desk";

interface Sent {
  type: string;
  ticket?: string;
  stream?: string;
  seq?: number;
}

let server: WebSocketServer;
let clients: WireSocket[];
let received: Sent[];
let desk: Desk;
let connection: StreamConnection | null;
let renewals: number;

beforeEach(async () => {
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => server.once("listening", resolve));
  clients = [];
  received = [];
  renewals = 0;
  connection = null;
  desk = manualDesk();
  server.on("connection", (socket) => {
    clients.push(socket);
    socket.on("message", (raw: Buffer) => {
      const message = JSON.parse(raw.toString()) as Sent & { id: number; t: number };
      received.push(message);
      if (message.type === "auth") socket.send(JSON.stringify({ type: "ready" }));
      if (message.type === "ping") {
        const pong = { type: "pong", id: message.id, t: message.t, server_ns: (NOW + 5000) * 1e6 };
        socket.send(JSON.stringify(pong));
      }
    });
  });
});

afterEach(async () => {
  connection?.stop();
  for (const client of server.clients) client.terminate();
  await new Promise((resolve) => server.close(resolve));
});

function connect(renew: boolean, clock = new ServerClock()): void {
  const { port } = server.address() as AddressInfo;
  let tickets = 0;
  connection = new StreamConnection({
    desk,
    clock,
    url: `ws://127.0.0.1:${port}/v1/stream`,
    ticket: () => Promise.resolve(`ticket-${++tickets}`),
    renew: () => {
      renewals += 1;
      return Promise.resolve(renew);
    },
    open: (url) => new WireSocket(url) as unknown as WebSocket,
    random: () => 0,
  });
  connection.start();
}

const phase = () => desk.store.get("connection")?.phase;
const status = (seq: number, kind: string) =>
  JSON.stringify({
    stream: "status",
    seq,
    kind,
    published_at_ns: NOW * 1e6,
    data: fixtures.status(NOW, "healthy"),
  });
const opened = (times = 1) =>
  vi.waitFor(() => {
    expect(clients).toHaveLength(times);
    expect(phase()).toBe("open");
  });
const heard = (type: string) => received.filter((message) => message.type === type);

describe("the console socket", () => {
  it("sends its ticket first, learns the server's clock and acknowledges what it got", async () => {
    const clock = new ServerClock(() => NOW);
    connect(true, clock);
    await opened();
    expect(received[0]).toEqual({ type: "auth", ticket: "ticket-1" });
    await vi.waitFor(() => expect(clock.now()).not.toBe(NOW));
    clients[0]?.send(status(7, "snapshot"));
    await vi.waitFor(() => expect(desk.store.get("status")?.mode).toBe("live"));
    await vi.waitFor(() => expect(heard("ack").at(-1)?.seq).toBe(7), 2000);
  });

  it("asks for a snapshot at a gap and after an unreadable frame, and counts the latter", async () => {
    connect(true);
    await opened();
    clients[0]?.send(status(1, "snapshot"));
    clients[0]?.send(status(3, "delta"));
    await vi.waitFor(() => expect(heard("resync")).toEqual([{ type: "resync", stream: "status" }]));
    clients[0]?.send(JSON.stringify({ stream: "metrics", seq: 1, kind: "delta", data: {} }));
    clients[0]?.send("{not json");
    await vi.waitFor(() => expect(desk.store.get("dropped")).toBe(2));
    expect(heard("resync").at(-1)).toEqual({ type: "resync", stream: "metrics" });
  });

  it("comes back with a new ticket after the line is cut", async () => {
    connect(true);
    await opened();
    clients[0]?.terminate();
    await opened(2);
    expect(heard("auth").map((message) => message.ticket)).toEqual(["ticket-1", "ticket-2"]);
    expect(desk.store.get("connection")?.downMs).toBeGreaterThan(0);
  });

  it("renews an ended session once and goes on, or stops when it cannot", async () => {
    connect(true);
    await opened();
    clients[0]?.close(4401);
    await opened(2);
    expect(renewals).toBe(1);
    clients[1]?.close(4401);
    await vi.waitFor(() => expect(phase()).toBe("ended"));
    expect(renewals).toBe(1);
  });

  it("stops for good without permission", async () => {
    connect(true);
    await opened();
    clients[0]?.close(4403);
    await vi.waitFor(() => expect(phase()).toBe("forbidden"));
    expect(clients).toHaveLength(1);
  });
});

it("backs off with full jitter, capped", () => {
  expect(backoffMs(0, () => 1)).toBe(250);
  expect(backoffMs(3, () => 0.5)).toBe(1000);
  expect(backoffMs(40, () => 1)).toBe(5000);
  expect(backoffMs(9, () => 0)).toBe(0);
});
