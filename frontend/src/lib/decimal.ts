/**
 * Exact arithmetic on decimal text, as amounts and prices travel.
 *
 * A value is an integer and a scale, so nothing passes through a binary float. `ratio` is the
 * one way out: a dimensionless number for bars and percentages.
 */

export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

const SHAPE = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/** Read decimal text, also with an exponent (1E-8); null for anything else (NaN, nothing). */
export function parseDecimal(text: string): Decimal | null {
  const match = SHAPE.exec(text.trim());
  if (match === null) return null;
  const [, sign = "", whole = "0", fraction = "", exponent = "0"] = match;
  const shift = fraction.length - Number(exponent);
  const units = BigInt(whole + fraction) * 10n ** BigInt(Math.max(0, -shift));
  return { units: sign === "-" ? -units : units, scale: Math.max(0, shift) };
}

function aligned(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const scale = Math.max(a.scale, b.scale);
  return [
    a.units * 10n ** BigInt(scale - a.scale),
    b.units * 10n ** BigInt(scale - b.scale),
    scale,
  ];
}

/** −1, 0 or 1. */
export function compare(a: Decimal, b: Decimal): -1 | 0 | 1 {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  const [left, right, scale] = aligned(a, b);
  return { units: left - right, scale };
}

export function negated(a: Decimal): Decimal {
  return { units: -a.units, scale: a.scale };
}

export function magnitude(a: Decimal): Decimal {
  return a.units < 0n ? { units: -a.units, scale: a.scale } : a;
}

/** −1, 0 or 1. */
export function sign(a: Decimal): -1 | 0 | 1 {
  return a.units < 0n ? -1 : a.units > 0n ? 1 : 0;
}

/** a / b as a plain number with nine digits after the point; null when b is zero. */
export function ratio(a: Decimal, b: Decimal): number | null {
  if (b.units === 0n) return null;
  const [left, right] = aligned(a, b);
  return Number((left * 1_000_000_000n) / right) / 1e9;
}

/** Round half away from zero to `places` digits after the point. */
export function rounded(a: Decimal, places: number): Decimal {
  if (a.scale <= places) {
    return { units: a.units * 10n ** BigInt(places - a.scale), scale: places };
  }
  const step = 10n ** BigInt(a.scale - places);
  const positive = a.units < 0n ? -a.units : a.units;
  const units = (positive + step / 2n) / step;
  return { units: a.units < 0n ? -units : units, scale: places };
}

/** Digits with exactly `scale` places and a plain hyphen sign. */
export function plain(a: Decimal): string {
  const digits = (a.units < 0n ? -a.units : a.units).toString().padStart(a.scale + 1, "0");
  const whole = digits.slice(0, digits.length - a.scale);
  const fraction = a.scale === 0 ? "" : `.${digits.slice(digits.length - a.scale)}`;
  return `${a.units < 0n ? "-" : ""}${whole}${fraction}`;
}

/** Digits after the point that decimal text carries; 0 for text that is no decimal. */
export function places(text: string): number {
  return parseDecimal(text)?.scale ?? 0;
}
