/** Paper beside live by asset over one period: each book's own figures and the gap. Never summed. */
import { useSearchParams } from "react-router";

import { type Column, ListTable } from "@/components/list-table";
import { ReadState } from "@/components/read-state";
import { Card, Empty } from "@/components/ui/card";
import { Pnl, Unknown, UtcTime } from "@/components/values";
import { cn } from "@/lib/cn";
import type { BookFigures, PaperPicture } from "@/lib/api";
import * as format from "@/lib/format";
import { gapLines, type GapLine } from "@/lib/paper-gap";
import { useRead } from "@/lib/read";
import { testId } from "@/lib/testids";

const PERIODS = [1, 7, 30, 90] as const;
const EVERY_MS = 30_000;
const NO_TRADES = "No closed trade in this period";
const ONE_BOOK = "Only one of the two books has it";

const BOOK_WORD: Record<GapLine["book"], string> = {
  live: "Live",
  paper: "Paper",
  gap: "Paper less live",
};

function usd(value: string | null, why: string) {
  return value === null ? <Unknown why={why} /> : <Pnl value={value} decimals={4} />;
}

function share(line: GapLine) {
  if (line.book === "gap") {
    return line.capture === null ? <Unknown why={ONE_BOOK} /> : `${format.bps(line.capture * 100, true)} points`;
  }
  const { captured_windows: hits, eligible_windows: n } = line.figures as BookFigures;
  return line.capture === null ? (
    <Unknown why="No eligible window in this period" />
  ) : (
    <span title={`${hits} of ${n} eligible windows`}>{format.percent(line.capture)}</span>
  );
}

const COLUMNS: readonly Column<GapLine>[] = [
  { head: "Asset", cell: (row) => (row.book === "live" ? <span className="font-semibold">{row.asset}</span> : null) },
  {
    head: "Book",
    cell: (row) => <span className={cn(row.book === "gap" ? "font-semibold" : "text-text-2")}>{BOOK_WORD[row.book]}</span>,
  },
  { head: "Trades", right: true, cell: (row) => row.figures?.trades ?? "" },
  { head: "Both filled", right: true, cell: (row) => row.figures?.both_filled ?? "" },
  { head: "Eligible windows", right: true, cell: (row) => row.figures?.eligible_windows ?? "" },
  { head: "Capture", right: true, cell: share },
  { head: "P&L a trade", right: true, cell: (row) => usd(row.pnl, row.book === "gap" ? ONE_BOOK : NO_TRADES) },
  {
    head: "Error a trade",
    right: true,
    cell: (row) => (row.figures === null ? "" : usd(row.figures.error_per_trade_usd, NO_TRADES)),
  },
  { head: "Realised", right: true, cell: (row) => (row.figures === null ? "" : <Pnl value={row.figures.realised_usd} />) },
  {
    head: "Both filled p50",
    right: true,
    cell: (row) => (row.p50 === null ? <Unknown why={row.book === "gap" ? ONE_BOOK : NO_TRADES} /> : signedLatency(row)),
  },
  {
    head: "p95",
    right: true,
    cell: (row) => (row.figures === null ? "" : (row.figures.fills_p95_ms === null ? <Unknown why={NO_TRADES} /> : format.latency(row.figures.fills_p95_ms))),
  },
];

function signedLatency({ book, p50 }: GapLine): string {
  if (book !== "gap" || p50 === null) return format.latency(p50);
  return `${p50 < 0 ? "−" : "+"}${format.latency(Math.abs(p50))}`;
}

export function PaperGap() {
  const [search, setSearch] = useSearchParams();
  const asked = Number(search.get("days"));
  const days = PERIODS.find((one) => one === asked) ?? 7;
  const read = useRead("/v1/paper", { days: String(days) }, { everyMs: EVERY_MS });
  return (
    <Card
      title="Paper against live"
      context="a model's fills beside real ones; two books, never added up"
      aside={
        <span role="group" aria-label="Period" className="flex gap-1">
          {PERIODS.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === days}
              data-testid={testId.paperDays(one)}
              onClick={() => setSearch({ tab: "paper", ...(one === 7 ? {} : { days: String(one) }) })}
              className="min-h-7 rounded-control px-2 text-text-2 hover:bg-surface-3 aria-pressed:bg-surface-3 aria-pressed:font-semibold aria-pressed:text-text-1 max-sm:min-h-11"
            >
              {one === 1 ? "1 day" : `${one} days`}
            </button>
          ))}
        </span>
      }
    >
      <ReadState read={read} rows={6} />
      {read.data === undefined ? null : <Body picture={read.data} />}
    </Card>
  );
}

function Body({ picture }: { readonly picture: PaperPicture }) {
  if (picture.assets.length === 0) {
    return <Empty>No trade of either book in this period. An asset on paper makes them at live prices.</Empty>;
  }
  return (
    <>
      <ListTable
        label="Paper against live"
        columns={COLUMNS}
        rows={gapLines(picture)}
        rowKey={(row) => `${row.asset}-${row.book}`}
        rowTestId={(row) => testId.paperRow(row.asset, row.book)}
        testId="paper-table"
      />
      <p className="border-t border-line px-3.5 py-2 text-caption text-text-3">
        Detected from <UtcTime atMs={picture.since_ns / 1e6} /> to <UtcTime atMs={picture.until_ns / 1e6} /> UTC.
        A model that earns more than the desk is too kind: prefer the live figure.
      </p>
    </>
  );
}
