/** Test environment: what the simulated page lacks, for the files that ask for a page. */
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

if (typeof document !== "undefined") {
  globalThis.ResizeObserver = NoResizeObserver;
  const { cleanup } = await import("@testing-library/react");
  afterEach(cleanup);
}
