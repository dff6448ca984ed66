/**
 * Every number and time the console writes, one function per kind.
 *
 * Amounts come in as decimal text and stay exact. Unknown is always the em dash.
 */
import { compare, magnitude, parseDecimal, plain, ratio, rounded, sign } from "./decimal";

export const UNKNOWN = "—";
const MINUS = "\u2212";
const SUBSCRIPT = "₀₁₂₃₄₅₆₇₈₉";

/** Thousands separators in the whole part of plain digits. */
function grouped(digits: string): string {
  const [whole = "0", fraction] = digits.split(".");
  const head = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? head : `${head}.${fraction}`;
}

function absolute(text: string, decimals: number): string | null {
  const value = parseDecimal(text);
  return value === null ? null : grouped(plain(rounded(magnitude(value), decimals)));
}

/** Signed P&L in dollars: +$8.41, −$1.37, $0.00 (zero carries no sign). */
export function pnl(text: string, decimals = 2): string {
  const value = parseDecimal(text);
  if (value === null) return UNKNOWN;
  const cents = rounded(value, decimals);
  const mark = sign(cents) > 0 ? "+" : sign(cents) < 0 ? MINUS : "";
  return `${mark}$${grouped(plain(magnitude(cents)))}`;
}

/** Sign of P&L as shown: what rounds to zero is zero. */
export function pnlSign(text: string, decimals = 2): -1 | 0 | 1 {
  const value = parseDecimal(text);
  return value === null ? 0 : sign(rounded(value, decimals));
}

/** Dollars in full: $18,420 or, with decimals 2, $18,420.00. */
export function usd(text: string, decimals = 0): string {
  const digits = absolute(text, decimals);
  if (digits === null) return UNKNOWN;
  const negative = text.trim().startsWith("-") && /[1-9]/.test(digits);
  return `${negative ? MINUS : ""}$${digits}`;
}

const HUNDRED_THOUSAND = { units: 100_000n, scale: 0 };
const MILLION = { units: 1_000_000n, scale: 0 };
const BILLION = { units: 1_000_000_000n, scale: 0 };

/** Dollars for a headline: in full below 100k, then $412.6k, $1.0M, $2.4B. */
export function usdCompact(text: string): string {
  const value = parseDecimal(text);
  if (value === null) return UNKNOWN;
  const size = magnitude(value);
  const mark = sign(value) < 0 ? MINUS : "";
  const scaled = (power: number) =>
    plain(rounded({ units: size.units, scale: size.scale + power }, 1));
  if (compare(size, HUNDRED_THOUSAND) < 0) return `${mark}$${grouped(plain(rounded(size, 2)))}`;
  if (compare(size, MILLION) < 0 && scaled(3) !== "1000.0") return `${mark}$${scaled(3)}k`;
  if (compare(size, BILLION) < 0 && scaled(6) !== "1000.0") return `${mark}$${scaled(6)}M`;
  return `${mark}$${scaled(9)}B`;
}

/** A price with the venue's own decimals; four or more leading zeros become a count. */
export function price(text: string | null, decimals?: number): string {
  if (text === null) return UNKNOWN;
  const value = parseDecimal(text);
  if (value === null) return UNKNOWN;
  const digits = plain(rounded(value, decimals ?? value.scale));
  const small = /^(-?)0\.(0{4,})([1-9]\d*)$/.exec(digits);
  if (small !== null) {
    const [, mark = "", zeros = "", rest = ""] = small;
    const count = String(zeros.length).replace(/\d/g, (digit) => SUBSCRIPT[Number(digit)] ?? "");
    return `${mark === "" ? "" : MINUS}0.0${count}${rest}`;
  }
  return grouped(digits).replace("-", MINUS);
}

/** A quantity with its own decimals kept: 1,240.00. */
export function quantity(text: string | null): string {
  if (text === null) return UNKNOWN;
  const value = parseDecimal(text);
  return value === null ? UNKNOWN : grouped(plain(value)).replace("-", MINUS);
}

function signedFixed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  if (!/[1-9]/.test(text)) return text;
  return `${value < 0 ? MINUS : "+"}${text}`;
}

/** Basis points, one decimal; edges carry their sign: +7.8. */
export function bps(value: number | null, signed = false): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  if (signed) return signedFixed(value, 1);
  return `${value < 0 && value <= -0.05 ? MINUS : ""}${Math.abs(value).toFixed(1)}`;
}

/** A share as a percentage, one decimal; "<0.1%" when tiny, "100%" only when exact. */
export function percent(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return UNKNOWN;
  if (share === 0) return "0%";
  if (share === 1) return "100%";
  const value = share * 100;
  if (Math.abs(value) < 0.1) return "<0.1%";
  if (value > 99.9 && value < 100) return "99.9%";
  return `${value < 0 ? MINUS : ""}${Math.abs(value).toFixed(1)}%`;
}

/** A change in percent with its sign: −8.4%. The argument is already in percent. */
export function signedPercent(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  return `${Math.abs(value) >= 1000 ? signedFixed(value, 0) : signedFixed(value, 1)}%`;
}

/** Deviation of `actual` from `expected` in percent of |expected|; null without a base. */
export function deviationPercent(actual: string, expected: string): number | null {
  const left = parseDecimal(actual);
  const right = parseDecimal(expected);
  if (left === null || right === null || sign(right) === 0) return null;
  const of = ratio(left, right);
  return of === null ? null : (of - 1) * 100 * sign(right);
}

/** A latency in ms: 612 ms, 1.31 s; below 10 ms the digits that matter are kept. */
export function latency(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return UNKNOWN;
  if (ms >= 999.5) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return `${ms.toFixed(0)} ms`;
}

/** An age in ms: 84 ms, 12.4 s, 3 min 05 s, 2 h 04 min. */
export function age(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return UNKNOWN;
  const value = Math.max(0, ms);
  if (value < 999.5) return `${value.toFixed(0)} ms`;
  if (value < 60_000) return `${(Math.floor(value / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(value / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

/** An age for lists, one unit: 12 s, 4 min, 3 h, 2 d. */
export function roughAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** UTC time of day from unix ms: 14:32:07, or 14:32:07.412 with `ms`. */
export function utcTime(unixMs: number, ms = false): string {
  return new Date(unixMs).toISOString().slice(11, ms ? 23 : 19);
}

/** UTC time of day, with the date in front when it is not the UTC day of `nowMs`. */
export function utcStamp(unixMs: number, nowMs: number): string {
  const iso = new Date(unixMs).toISOString();
  const today = new Date(nowMs).toISOString().slice(0, 10);
  return iso.startsWith(today) ? iso.slice(11, 23) : `${iso.slice(0, 10)} ${iso.slice(11, 23)}`;
}

/** First four and last four characters of an id. */
export function shortId(id: string): string {
  return id.length <= 9 ? id : `${id.slice(0, 4)}…${id.slice(-4)}`;
}

/** 95% Wilson interval of a share, as two shares. */
export function wilson(hits: number, n: number): [number, number] | null {
  if (n <= 0) return null;
  const z = 1.959964;
  const p = hits / n;
  const centre = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}
