/** The two books of every asset and their gap as lines of a table. Pure. */
import type { BookFigures, PaperPicture } from "./api";

export interface GapLine {
  readonly asset: string;
  readonly book: "live" | "paper" | "gap";
  /** Null on the line of the gap. */
  readonly figures: BookFigures | null;
  /** USD a trade. */
  readonly pnl: string | null;
  /** Detect to both filled, ms. */
  readonly p50: number | null;
  /** Share of the eligible windows, 0 to 1; of the gap the difference. */
  readonly capture: number | null;
}

function lineOf(asset: string, book: "live" | "paper", figures: BookFigures): GapLine {
  const { eligible_windows: n, captured_windows: hits } = figures;
  return {
    asset,
    book,
    figures,
    pnl: figures.pnl_per_trade_usd,
    p50: figures.fills_p50_ms,
    capture: n === 0 ? null : hits / n,
  };
}

/** Live, paper and the server's own gap of each asset, in the server's order. */
export function gapLines(picture: Pick<PaperPicture, "assets">): readonly GapLine[] {
  return picture.assets.flatMap((one): GapLine[] => [
    lineOf(one.asset, "live", one.live),
    lineOf(one.asset, "paper", one.paper),
    {
      asset: one.asset,
      book: "gap",
      figures: null,
      pnl: one.pnl_per_trade_gap_usd,
      p50: one.fills_p50_gap_ms,
      capture: one.capture_gap,
    },
  ]);
}
