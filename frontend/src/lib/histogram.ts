/** A latency histogram laid out for drawing: which bins to show, and where a value falls. */
import type { Histogram } from "./frames";

export interface Bin {
  readonly lowUs: number;
  /** Upper edge in µs; null for the open last bin. */
  readonly highUs: number | null;
  readonly count: number;
}

/** Bins between the first and the last that hold anything, with one empty neighbour each side. */
export function shownBins(histogram: Histogram): readonly Bin[] {
  const { edges_us: edges, counts } = histogram;
  const bins = counts.map((count, index) => ({
    lowUs: index === 0 ? 0 : (edges[index - 1] ?? 0),
    highUs: edges[index] ?? null,
    count,
  }));
  const filled = bins.flatMap((bin, index) => (bin.count > 0 ? [index] : []));
  const first = filled[0];
  const last = filled[filled.length - 1];
  if (first === undefined || last === undefined) return [];
  return bins.slice(Math.max(0, first - 1), Math.min(bins.length, last + 2));
}

/** Where a value falls, 0 at the left edge and 1 at the right; null outside the drawn bins. */
export function position(bins: readonly Bin[], valueUs: number): number | null {
  for (const [index, bin] of bins.entries()) {
    if (valueUs < bin.lowUs) return null;
    if (bin.highUs === null) return (index + 0.5) / bins.length;
    if (valueUs <= bin.highUs) {
      const within = (valueUs - bin.lowUs) / (bin.highUs - bin.lowUs || 1);
      return (index + within) / bins.length;
    }
  }
  return null;
}
