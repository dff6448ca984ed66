/** Where points and ticks of a chart lie. Pure; the charts draw it. */

export interface Scale {
  readonly low: number;
  readonly high: number;
}

/** The span of the values, widened to hold `also`; never empty. */
export function scaleOf(values: readonly number[], also: readonly number[] = []): Scale {
  const all = [...values, ...also];
  if (all.length === 0) return { low: 0, high: 1 };
  const low = Math.min(...all);
  const high = Math.max(...all);
  return low === high ? { low: low - 1, high: high + 1 } : { low, high };
}

/** 0 at the low end of the scale, 1 at its high end. */
export function place(scale: Scale, value: number): number {
  return (value - scale.low) / (scale.high - scale.low);
}

/** Round values inside the scale, about `count` of them: steps of 1, 2 or 5 times a power of ten. */
export function ticks(scale: Scale, count: number): readonly number[] {
  const rough = (scale.high - scale.low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10) * power;
  const found: number[] = [];
  // Adding 0 makes of −0, which would be written with a sign, plain 0.
  for (let at = Math.ceil(scale.low / step) + 0; at * step <= scale.high + step * 1e-9; at += 1) {
    found.push(at * step);
  }
  return found;
}

/** At most `most` of the points, evenly taken, the last one always. */
export function thinned<T>(points: readonly T[], most: number): readonly T[] {
  if (points.length <= most) return points;
  const every = (points.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, index) => points[Math.round(index * every)]).filter(
    (point) => point !== undefined,
  );
}
