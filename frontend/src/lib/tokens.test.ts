/** Every pair of text and surface the console uses meets its contrast, measured on the tokens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

const css = readFileSync(join(process.cwd(), "src/index.css"), "utf8");
const root = css.slice(css.indexOf(":root {"), css.indexOf("}", css.indexOf(":root {")));
const tokens = new Map(
  [...root.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(([, name, hex]) => [name ?? "", hex ?? ""]),
);

function luminance(name: string): number {
  const hex = tokens.get(name);
  if (hex === undefined) throw new Error(`no token ${name}`);
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(front: string, back: string): number {
  const [low = 0, high = 0] = [luminance(front), luminance(back)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const SURFACES = ["canvas", "surface-1", "surface-2", "surface-3"];
const TEXT: [string, string[]][] = [
  ["text-1", [...SURFACES, "warn-soft", "warn-stripe", "info-soft"]],
  ["text-2", [...SURFACES, "warn-soft", "warn-stripe", "info-soft"]],
  ["text-3", SURFACES],
  ["lime", ["surface-1", "surface-2", "lime-soft"]],
  ["on-lime", ["lime", "lime-hover"]],
  ["gain", ["surface-1", "surface-2"]],
  ["loss", ["surface-1", "surface-2"]],
  ["warn", ["canvas", "surface-1", "warn-soft", "warn-stripe"]],
  ["on-warn", ["warn"]],
  ["on-crit", ["crit"]],
  ["crit-text", ["canvas", "surface-1", "surface-2", "crit-soft"]],
  ["crit-soft-text", ["crit-soft"]],
  ["info", ["surface-1", "info-soft"]],
];
const SHAPES: [string, string[]][] = [
  ["line-control", ["canvas", "surface-1", "surface-2", "surface-3"]],
  ["crit", ["surface-1"]],
  ["lime", ["canvas", "surface-1", "surface-2"]],
  ["c2", ["surface-1"]],
  ["c4", ["surface-1"]],
];

const pairs = (table: [string, string[]][]) =>
  table.flatMap(([front, backs]) => backs.map((back) => [front, back] as const));

describe("contrast", () => {
  it.each(pairs(TEXT))("%s on %s is at least 4.5", (front, back) => {
    expect(contrast(front, back)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(pairs(SHAPES))("%s against %s is at least 3", (front, back) => {
    expect(contrast(front, back)).toBeGreaterThanOrEqual(3);
  });

  it("measures as WCAG does", () => {
    expect(contrast("text-1", "surface-1")).toBeCloseTo(16.4, 1);
    expect(contrast("on-crit", "crit")).toBeCloseTo(4.8, 1);
  });
});
