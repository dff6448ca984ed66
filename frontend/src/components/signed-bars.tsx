/** Signed terms around a middle line, with their sum: the numbers first, the bars beside them. */
import * as format from "@/lib/format";
import { compare, magnitude, parseDecimal, ratio, sign } from "@/lib/decimal";

import { Pnl } from "./values";

interface Row {
  readonly key: string;
  readonly words: string;
  readonly usd: string;
}

/** Share of the widest term, −1 to 1; 0 where nothing can be said. */
export function reach(usd: string, widest: string): number {
  const value = parseDecimal(usd);
  const most = parseDecimal(widest);
  if (value === null || most === null) return 0;
  const share = ratio(magnitude(value), magnitude(most));
  return share === null ? 0 : Math.min(1, share) * sign(value);
}

/** The term that is largest without its sign. */
function widestOf(rows: readonly Row[]): string {
  return rows.reduce((widest, { usd }) => {
    const [value, most] = [parseDecimal(usd), parseDecimal(widest)];
    if (value === null || most === null) return widest;
    return compare(magnitude(value), magnitude(most)) > 0 ? usd : widest;
  }, "0");
}

export function SignedBars({ label, rows, sum, decimals = 2, bars = true }: {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly sum: { readonly words: string; readonly usd: string };
  readonly decimals?: number;
  /** Without bars the terms are amounts, not gains and losses: only the sum has a colour. */
  readonly bars?: boolean;
}) {
  const widest = widestOf(rows);
  return (
    <table aria-label={label} className="w-full">
      <tbody>
        {rows.map((row) => {
          const share = reach(row.usd, widest);
          return (
            <tr key={row.key} className="border-b border-line">
              <th scope="row" className="h-7 pr-3 text-left font-normal whitespace-nowrap text-text-2">
                {row.words}
              </th>
              {bars ? (
                <td className="w-full max-sm:hidden">
                  <svg aria-hidden="true" viewBox="-100 0 200 10" preserveAspectRatio="none" className="block h-2.5 w-full">
                    <rect
                      x={Math.min(0, share * 100)}
                      y={1}
                      width={Math.abs(share) * 100}
                      height={8}
                      className={share < 0 ? "fill-loss" : "fill-gain"}
                    />
                    <line x1={0} x2={0} y1={0} y2={10} vectorEffect="non-scaling-stroke" className="stroke-line-control" />
                  </svg>
                </td>
              ) : null}
              <td className="pl-3 text-right">
                {bars ? <Pnl value={row.usd} decimals={decimals} /> : format.pnl(row.usd, decimals)}
              </td>
            </tr>
          );
        })}
        <tr>
          <th scope="row" className="h-8 text-left font-semibold whitespace-nowrap">
            {sum.words}
          </th>
          {bars ? <td className="max-sm:hidden" /> : null}
          <td className="pl-3 text-right">
            <Pnl value={sum.usd} decimals={decimals} className="font-semibold" />
          </td>
        </tr>
      </tbody>
    </table>
  );
}
