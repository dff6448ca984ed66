/** Build, dev server and test runner. `--mode demo` adds the fixture server for looking at screens. */
import { fileURLToPath } from "node:url";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { fixtureServer } from "./src/testing/fixture-server.ts";

const src = fileURLToPath(new URL("./src", import.meta.url));
const backend = process.env["SPREADLINE_WEB"] ?? "http://127.0.0.1:8000";

export default defineConfig(({ mode }) => ({
  plugins: [react(), tailwindcss(), ...(mode === "demo" ? [fixtureServer()] : [])],
  resolve: {
    alias: {
      "@": src,
      // The stock scroll lock writes a <style> element, which a strict content policy blocks.
      "react-remove-scroll": `${src}/components/ui/scroll-lock.tsx`,
    },
  },
  build: {
    outDir: "dist",
    // Fonts and icons stay files: a data: address would need a looser content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    proxy:
      mode === "demo"
        ? {}
        : {
            "/v1/stream": { target: backend, ws: true },
            "/v1": { target: backend },
          },
  },
  test: {
    // Pure modules need no page; files that do say so in their first line.
    environment: "node",
    setupFiles: ["src/testing/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    css: false,
  },
}));
