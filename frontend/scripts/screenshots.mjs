/**
 * Pictures of every state at every width, for looking at: start `npm run demo`, then
 * `node scripts/screenshots.mjs OUT_DIR [scenario ...]`. Needs Debian's Chromium.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

const [out = "screenshots", ...asked] = process.argv.slice(2);
const base = process.env.CONSOLE_URL ?? "http://127.0.0.1:5173";
const scenarios = asked.length > 0 ? asked : ["healthy", "auto-paused", "killed", "no-signal", "observe"];
const sizes = [
  [1600, 1000],
  [1280, 800],
  [400, 800],
];

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
try {
  const page = await browser.newPage();
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") console.log(line.type(), line.text());
  });
  page.on("pageerror", (error) => console.log("pageerror", error.message));
  await page.goto(base);
  await page.getByTestId("login-user").fill("operator-a");
  await page.screenshot({ path: join(out, "sign-in.png") });
  await page.getByTestId("login-password").fill("demo");
  await page.getByTestId("login-submit").click();
  for (const scenario of scenarios) {
    await page.request.post(`${base}/v1/demo/${scenario}`);
    await page.reload();
    await page.getByTestId("overview-screen").waitFor();
    await page.waitForTimeout(Number(process.env.SETTLE_MS ?? 2500));
    for (const [width, height] of sizes) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(400);
      const full = width < 1024;
      await page.screenshot({ path: join(out, `${scenario}-${width}.png`), fullPage: full });
    }
  }
} finally {
  await browser.close();
}
