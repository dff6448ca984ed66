/** How right the predictions were, by asset: the figures with their targets, and the causes. */
import { TriangleAlert } from "lucide-react";
import { Fragment, useState } from "react";
import { Link } from "react-router";

import { type Column, ListTable } from "@/components/list-table";
import { ReadState } from "@/components/read-state";
import { SignedBars } from "@/components/signed-bars";
import { Button } from "@/components/ui/button";
import { Card, Empty } from "@/components/ui/card";
import type { PredictionRow } from "@/lib/api";
import * as format from "@/lib/format";
import { useLive, useMayReset } from "@/lib/live";
import { useRead } from "@/lib/read";
import { causeOf } from "@/lib/session";
import { isBeyond, PREDICTION_TARGETS, type PredictionTarget, ratioWords, shareWords } from "@/lib/study";
import { testId } from "@/lib/testids";
import { errorTerms } from "@/lib/trade-detail";

import { Markouts } from "./markouts";

const FEW = 20;

const COLUMNS: readonly Column<PredictionRow>[] = [
  { head: "Asset", cell: (row) => <span className="font-semibold">{row.asset === "*" ? "All" : row.asset}</span> },
  { head: "n", right: true, cell: (row) => row.figures.n },
  ...PREDICTION_TARGETS.map(
    (target): Column<PredictionRow> => ({
      head: `${target.caption}, ≤ ${format.percent(target.limit)}`,
      right: true,
      cell: (row) => <Against target={target} row={row} />,
    }),
  ),
  {
    head: "p5, p50, p95, bps",
    right: true,
    cell: ({ figures }) => [figures.bps_p5, figures.bps_p50, figures.bps_p95].map((one) => format.bps(one, true)).join(", "),
  },
  { head: "Calibration, 1 and $0", right: true, cell: (row) => calibration(row) },
  {
    head: "Inside the 80%",
    right: true,
    cell: ({ figures }) => <span title={shareWords(figures.coverage80)}>{ratioWords(figures.coverage80.value)}</span>,
  },
  { head: "Haircut, bps", right: true, cell: (row) => <Haircut row={row} /> },
];

function calibration({ figures }: PredictionRow): string {
  if (figures.slope === null || figures.intercept_usd === null) return format.UNKNOWN;
  return `${figures.slope.toFixed(2)} and ${format.pnl(figures.intercept_usd.toFixed(4))}`;
}

/** A figure beside its target; too few trades are not judged. */
function Against({ target, row }: { readonly target: PredictionTarget; readonly row: PredictionRow }) {
  const value = target.of(row.figures);
  const beyond = isBeyond(target, value) === true && row.figures.n >= FEW;
  return (
    <span className={beyond ? "inline-flex items-center gap-1.5 text-warn" : undefined}>
      {beyond ? <TriangleAlert aria-label="beyond its target" size={13} strokeWidth={1.75} /> : null}
      {ratioWords(value)}
    </span>
  );
}

function Haircut({ row }: { readonly row: PredictionRow }) {
  const { api } = useLive();
  const may = useMayReset();
  const [proposed, setProposed] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  if (row.haircut_bps === null) return <>{format.UNKNOWN}</>;
  if (row.proposed_haircut_bps === null) {
    return <span title="Fewer than 50 trades that came off: too few to ask for another">{row.haircut_bps}</span>;
  }
  const propose = async () => {
    try {
      await api.proposeHaircut(row.asset);
      setProposed(true);
    } catch (error) {
      setFailure(causeOf(error).cause);
    }
  };
  return (
    <span className="inline-flex items-center gap-2">
      {row.haircut_bps}, errors ask for {row.proposed_haircut_bps}
      {proposed ? (
        <Link
          to="/asset-modes"
          role="status"
          data-testid={testId.haircutWaiting(row.asset)}
          className="inline-flex min-h-7 items-center text-text-1 underline underline-offset-2"
        >
          Waiting for approval
        </Link>
      ) : failure === null ? (
        <Button
          className="min-h-7 px-2 text-caption"
          disabled={!may || row.proposed_haircut_bps === row.haircut_bps}
          title={may ? undefined : "Needs administrator permission"}
          data-testid={testId.proposeHaircut(row.asset)}
          onClick={() => void propose()}
        >
          Propose haircut
        </Button>
      ) : (
        <span role="alert" className="text-warn">{failure}</span>
      )}
    </span>
  );
}

export function PredictionErrors() {
  const read = useRead("/v1/prediction", {});
  const rows = read.data?.rows ?? [];
  const told = rows.filter((row) => row.figures.n > 0);
  return (
    <div className="flex flex-col gap-3">
      <Card title="Prediction errors" context="realised less expected, over every booked attempt, failed ones included">
        <ReadState read={read} rows={5} />
        {read.data === undefined ? null : told.length === 0 ? (
          <Empty>No booked trades yet. Errors appear when the venues&apos; records are in the ledger.</Empty>
        ) : (
          <ListTable
            label="Prediction errors by asset"
            columns={COLUMNS}
            rows={told}
            rowKey={(row) => row.asset}
            rowTestId={(row) => testId.predictionRow(row.asset)}
            testId="prediction-table"
          />
        )}
      </Card>
      <div className="grid gap-3 lg:grid-cols-2">
        {told.map((row) => (
          <Fragment key={row.asset}>
          <Card title={`Error by cause, ${row.asset === "*" ? "all assets" : row.asset}`} context="sums over the trades, USD">
            <div className="px-3.5 py-2">
              <SignedBars
                label={`Error by cause, ${row.asset}`}
                rows={errorTerms(row.causes)}
                sum={{ words: "Realised less expected", usd: row.causes.error_usd }}
              />
            </div>
          </Card>
          <Markouts row={row} />
          </Fragment>
        ))}
      </div>
    </div>
  );
}
