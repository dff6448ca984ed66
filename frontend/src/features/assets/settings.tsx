/** The settings in force, one line an asset: what was set, by whom, since when. Read only. */
import { type Column, ListTable } from "@/components/list-table";
import { Money, UtcTime } from "@/components/values";
import type { AssetConfig } from "@/lib/api";
import * as format from "@/lib/format";
import { testId } from "@/lib/testids";

type Version = AssetConfig["in_force"];

const COLUMNS: readonly Column<Version>[] = [
  { head: "Asset", cell: (row) => <span className="font-semibold">{row.asset}</span> },
  { head: "Version", right: true, cell: (row) => row.version },
  { head: "Least edge, bps", right: true, cell: (row) => format.bps(Number(row.min_edge_bps)) },
  { head: "Least profit", right: true, cell: (row) => <Money value={row.min_profit_usd} decimals={2} /> },
  { head: "Haircut, bps", right: true, cell: (row) => format.bps(Number(row.haircut_bps)) },
  { head: "Slippage cap, bps", right: true, cell: (row) => format.bps(Number(row.slippage_cap_bps)) },
  { head: "Max notional", right: true, cell: (row) => <Money value={row.max_notional_usd} /> },
  { head: "A day", right: true, cell: (row) => <Money value={row.daily_notional_cap_usd} /> },
  { head: "Loss a day", right: true, cell: (row) => <Money value={row.daily_loss_cap_usd} /> },
  { head: "Trades a day", right: true, cell: (row) => row.daily_trades_cap.toLocaleString("en-US") },
  { head: "Leg order", cell: (row) => <span className="text-text-2">{ORDER[row.leg_order] ?? row.leg_order}</span> },
  {
    head: "In force since, UTC",
    cell: (row) =>
      row.in_force_at_ns === null ? format.UNKNOWN : <UtcTime atMs={row.in_force_at_ns / 1e6} className="text-text-2" />,
  },
  {
    head: "By",
    cell: (row) => (
      <span title={row.reason} className="text-text-2">
        {row.created_by}
      </span>
    ),
  },
];

const ORDER: Record<string, string> = {
  auto: "By the policy",
  concurrent: "Both at once",
  dex_first: "Solana first",
  cex_first: "Kraken first",
};

export function Settings({ configs }: { readonly configs: readonly Version[] }) {
  return (
    <ListTable
      label="Settings in force"
      columns={COLUMNS}
      rows={configs}
      rowKey={(row) => row.asset}
      rowTestId={(row) => `settings-row-${row.asset}`}
      testId={testId.settingsTable}
    />
  );
}
