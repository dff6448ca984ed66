/** Test environment: what jsdom lacks and every component test needs. */
import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

class NoResizeObserver implements ResizeObserver {
  observe(): void {
    return;
  }
  unobserve(): void {
    return;
  }
  disconnect(): void {
    return;
  }
}

globalThis.ResizeObserver = NoResizeObserver;
afterEach(cleanup);
