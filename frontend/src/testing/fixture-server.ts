/**
 * A stand-in server for looking at the console: `npm run demo`. Development only.
 *
 * Speaks the console's REST and socket contract over the development server's own port and
 * serves the moving fixtures. `POST /v1/demo/<scenario>` changes what is wrong with the desk.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Plugin, PreviewServer, ViteDevServer } from "vite";
import { type WebSocket, WebSocketServer } from "ws";

import type { Resolution } from "../lib/api";
import type { Mode } from "../lib/frames";
import * as fixtures from "./fixtures.ts";
import * as findings from "./health-fixtures.ts";
import * as reports from "./report-fixtures.ts";
import * as details from "./trade-fixtures.ts";

const COMMAND_MODE: Record<string, Mode> = {
  pause: "stop_new",
  resume: "live",
  observe: "observe",
  paper: "paper",
  live: "live",
  kill: "halt",
  reset: "observe",
};

const USER = { username: "operator-a", role: "operator", permissions: ["read", "trade", "admin"] };

class DemoDesk {
  scenario: fixtures.Scenario = "healthy";
  mode: Mode | undefined = undefined;
  applied: string[] = [];
  echoMs = 180;
  orders: Resolution[] = [];

  reset(scenario: fixtures.Scenario): void {
    this.orders = [];
    this.scenario = scenario;
    this.mode = undefined;
  }

  command(action: string): string {
    const id = randomUUID();
    setTimeout(() => {
      this.mode = COMMAND_MODE[action];
      this.applied = [...this.applied.slice(-19), id];
    }, this.echoMs);
    return id;
  }

  data(stream: string, now: number): unknown {
    switch (stream) {
      case "status":
        return fixtures.status(now, this.scenario, this.mode, this.applied);
      case "spreads":
        return fixtures.spreads(now, this.scenario);
      case "metrics":
        return fixtures.metrics(now, this.scenario);
      case "inventory":
        return fixtures.inventory(now, this.scenario);
      case "trades":
        return { rows: fixtures.trades(now, this.scenario) };
      case "opportunities":
        return { rows: fixtures.opportunities(now, this.scenario), at_ns: now * 1e6 };
      default:
        return { rows: fixtures.incidents(now, this.scenario) };
    }
  }
}

const PERIOD_MS: Record<string, number> = { status: 500, spreads: 50, metrics: 1000, inventory: 2000 };
const STREAMS = ["status", "spreads", "metrics", "inventory", "trades", "opportunities", "incidents"];

function serve(socket: WebSocket, desk: DemoDesk): void {
  const seqs = new Map<string, number>();
  const send = (stream: string, kind: "snapshot" | "delta") => {
    const silent = desk.scenario === "no-signal";
    if (silent && kind === "delta") return;
    const seq = (seqs.get(stream) ?? 0) + 1;
    seqs.set(stream, seq);
    const now = Date.now() - (silent ? 7300 : 0);
    const frame = { stream, seq, kind, published_at_ns: now * 1e6, data: desk.data(stream, now) };
    socket.send(JSON.stringify(frame));
  };
  const timers: NodeJS.Timeout[] = [];
  socket.on("close", () => timers.forEach(clearInterval));
  socket.on("message", (raw: Buffer) => {
    const message = JSON.parse(raw.toString()) as { type: string; id: number; t: number; stream: string };
    if (message.type === "auth") {
      socket.send(JSON.stringify({ type: "ready" }));
      for (const stream of STREAMS) send(stream, "snapshot");
      for (const [stream, period] of Object.entries(PERIOD_MS)) {
        timers.push(setInterval(() => send(stream, "delta"), period));
      }
    } else if (message.type === "ping") {
      const pong = { type: "pong", id: message.id, t: message.t, server_ns: Date.now() * 1e6 };
      socket.send(JSON.stringify(pong));
    } else if (message.type === "resync") {
      send(message.stream, "snapshot");
    }
  });
}

function answer(response: ServerResponse, code: number, body: unknown, cookie?: string): void {
  response.statusCode = code;
  response.setHeader("Content-Type", "application/json");
  if (cookie !== undefined) response.setHeader("Set-Cookie", cookie);
  response.end(JSON.stringify(body));
}

/** What a person reads or orders beside the stream; undefined for an address of none of these. */
function read(path: string, desk: DemoDesk, body: string): unknown {
  const now = Date.now();
  const [, , area = "", id = "", part = ""] = path.split("?")[0]?.split("/") ?? [];
  if (area === "service-levels") return { rows: reports.LEVELS };
  if (area === "status") return { status: null, controls: findings.controls(now) };
  if (area === "risk") return findings.risk(now);
  if (area === "health") return findings.health(now);
  if (area === "paper") return findings.paper(now);
  if (area === "config") return findings.config(id, now);
  if (area === "prediction") return { day: null, rows: reports.PREDICTION };
  if (area === "backtests") return id === "" ? { rows: [reports.studyHead()], next: null } : reports.study();
  if (area === "feasibility") {
    return { rows: [reports.feasibility("clears"), reports.feasibility("abstain")], next: null };
  }
  const trade = fixtures.trades(now, desk.scenario).find((one) => one.id === id);
  if (area !== "trades" || trade === undefined) return undefined;
  if (part === "prediction") return details.tradeError(trade);
  if (part === "resolutions") return { rows: [...desk.orders].reverse() };
  if (part === "resolve") {
    const asked = JSON.parse(body) as Partial<Resolution>;
    const done = asked.act === "preview";
    const order = details.order(now, { ...asked, id: randomUUID(), state: done ? "done" : "waiting", answered_at_ns: done ? now * 1e6 : null, user: done ? "operator-a" : "operator-b" });
    desk.orders.push(order);
    return order;
  }
  return details.tradePicture(trade);
}

const COOKIE = "demo=1; HttpOnly; SameSite=Strict; Path=/v1/auth";

function route(request: IncomingMessage, response: ServerResponse, desk: DemoDesk, body: string): void {
  const path = request.url ?? "";
  const found = read(path, desk, body === "" ? "{}" : body);
  const grant = { access: "demo", user: USER };
  const refused = { code: "not_authenticated", detail: "Sign in first.", request_id: "demo" };
  if (path === "/v1/auth/token") {
    const wrong = (JSON.parse(body) as { password: string }).password === "wrong";
    answer(response, wrong ? 401 : 200, wrong ? refused : grant, wrong ? undefined : COOKIE);
  } else if (path === "/v1/auth/refresh") {
    const known = request.headers.cookie?.includes("demo=1") ?? false;
    answer(response, known ? 200 : 401, known ? grant : refused);
  } else if (path === "/v1/auth/logout") {
    answer(response, 200, {}, `${COOKIE}; Max-Age=0`);
  } else if (path === "/v1/stream/ticket") {
    answer(response, 200, { ticket: randomUUID() });
  } else if (path.startsWith("/v1/controls/")) {
    const action = path.slice("/v1/controls/".length);
    answer(response, 202, { command_id: desk.command(action), state: "accepted" });
  } else if (path.startsWith("/v1/incidents/")) {
    answer(response, 200, {});
  } else if (path.startsWith("/v1/demo/")) {
    const [name = "", value] = path.slice("/v1/demo/".length).split("/");
    if (name === "echo") desk.echoMs = Number(value);
    else desk.reset(fixtures.SCENARIOS.find((one) => one === name) ?? "healthy");
    answer(response, 200, { scenario: desk.scenario, echoMs: desk.echoMs });
  } else if (found !== undefined) {
    answer(response, 200, found);
  } else {
    answer(response, 404, { code: "not_found", detail: "No such demo address.", request_id: "demo" });
  }
}

/** As strict as the real server may be: nothing inline, nothing from elsewhere. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
  "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/** Hang the stand-in on a development or preview server. */
function attach(server: ViteDevServer | PreviewServer, desk: DemoDesk): void {
  const sockets = new WebSocketServer({ noServer: true });
  server.httpServer?.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url !== "/v1/stream") return;
    sockets.handleUpgrade(request, socket, head, (client) => serve(client, desk));
  });
  server.middlewares.use((request, response, next) => {
    if (request.url?.startsWith("/v1/") !== true) {
      next();
      return;
    }
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => route(request, response, desk, body));
  });
}

export function fixtureServer(): Plugin {
  const desk = new DemoDesk();
  return {
    name: "spreadline-fixture-server",
    configureServer: (server) => attach(server, desk),
    configurePreviewServer: (server) => {
      server.middlewares.use((_request, response, next) => {
        response.setHeader("Content-Security-Policy", POLICY);
        next();
      });
      attach(server, desk);
    },
  };
}
