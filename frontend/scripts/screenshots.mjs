/**
 * Pictures of every screen at several widths, for looking at: start `npm run demo`, then
 * `node scripts/screenshots.mjs OUT_DIR [scenario ...]`. Needs Debian's Chromium.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

const [out = "screenshots", ...asked] = process.argv.slice(2);
const base = process.env.CONSOLE_URL ?? "http://127.0.0.1:5173";
const scenarios = asked.length > 0 ? asked : ["healthy", "auto-paused", "killed", "no-signal", "observe"];
const only = process.env.SCREENS?.split(",");
const sizes = (process.env.SIZES ?? "1440x900,390x844").split(",").map((size) => size.split("x").map(Number));
const SCREENS = {
  overview: "/",
  opportunities: "/opportunities",
  trades: "/trades",
  trade: "/trades?sel=trade-JUP-0",
  levels: "/reports",
  prediction: "/reports?tab=prediction",
  paper: "/reports?tab=paper",
  studies: "/reports?tab=studies",
  study: "/reports/studies/demo",
  feasibility: "/reports?tab=feasibility",
  assets: "/asset-modes",
  health: "/health",
};

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const page = await browser.newPage({ colorScheme: process.env.SCHEME ?? "dark" });
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") console.log(line.type(), line.text());
  });
  page.on("pageerror", (error) => console.log("pageerror", error.message));
  await page.goto(base);
  await page.getByTestId("login-user").fill(process.env.CONSOLE_USER ?? "operator-a");
  await page.screenshot({ path: join(out, "sign-in.png") });
  await page.getByTestId("login-password").fill(process.env.CONSOLE_PASSWORD ?? "demo");
  await page.getByTestId("login-submit").click();
  // A real desk takes its time over a password; leaving before would cancel the sign-in.
  await page.getByTestId("engine-state").waitFor();
  for (const scenario of scenarios) {
    if (process.env.CONSOLE_URL === undefined) await page.request.post(`${base}/v1/demo/${scenario}`);
    for (const [name, path] of Object.entries(SCREENS)) {
      if (only !== undefined && !only.includes(name)) continue;
      await page.goto(base + path);
      await page.getByTestId("engine-state").waitFor();
      await page.waitForTimeout(Number(process.env.SETTLE_MS ?? 1200));
      for (const [width, height] of sizes) {
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(300);
        // What sticks out sideways is cut off: say so.
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        if (wide) console.log(`${scenario} ${name} ${width}: wider than the window`);
        await page.screenshot({ path: join(out, `${scenario}-${name}-${width}.png`), fullPage: width < 1024 });
      }
    }
  }
} finally {
  await browser.close();
}
