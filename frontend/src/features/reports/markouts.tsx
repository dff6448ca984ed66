/** Where the mark went after the trades: mean signed move at each horizon, and the residuals' drift. */
import { SignedColumns } from "@/components/charts/signed-columns";
import type { PredictionRow } from "@/lib/api";
import * as format from "@/lib/format";
import { testId } from "@/lib/testids";

const sign = (bps: number | null) => format.bps(bps, true);

export function Markouts({ row }: { readonly row: PredictionRow }) {
  const name = row.asset === "*" ? "all assets" : row.asset;
  const told = row.markouts.filter((one) => one.mean_bps !== null);
  if (told.length === 0) return null;
  return (
    <div data-testid={testId.markouts(row.asset)}>
      <SignedColumns
        name={`markouts-${row.asset === "*" ? "all" : row.asset}`}
        title={`Markouts, ${name}, bps`}
        context="+ it went our way, − waiting would have paid"
        summary={told.map((one) => `${one.horizon_s} s after settlement ${sign(one.mean_bps)} bps over ${one.trades} trades`).join("; ")}
        head={["After settlement", "Mean move, bps", "Trades, residual drift"]}
        say={sign}
        columns={row.markouts.map((one) => ({
          label: `after ${one.horizon_s} s`,
          value: one.mean_bps,
          note: `n ${one.trades}`,
          more: `${one.trades}, ${format.pnl(one.residual_drift_usd, 4)}`,
        }))}
      />
    </div>
  );
}
