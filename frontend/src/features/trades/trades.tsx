/** Trades as the engine reports them, newest first: the last ones at sign-in and all since. */
import { Check, Clock3 } from "lucide-react";
import { useSearchParams } from "react-router";

import { BookChip } from "@/components/book-chip";
import { CardBoundary } from "@/components/error-boundary";
import { type Column, ListTable } from "@/components/list-table";
import { Chip } from "@/components/ui/chip";
import { Card, Empty, SkeletonRows } from "@/components/ui/card";
import { Direction, Money, Pnl, Unknown, UtcTime } from "@/components/values";
import { outcomeOf } from "@/lib/execution";
import * as format from "@/lib/format";
import { mergeRows } from "@/lib/desk";
import { type Trade, tradeSchema } from "@/lib/frames";
import { useDesk } from "@/lib/live";
import { useRead } from "@/lib/read";
import { directionEnds } from "@/lib/states";
import { testId } from "@/lib/testids";
import { orderWord } from "@/lib/trade-detail";

import { TradeSheet } from "./trade-sheet";

const COLUMNS: readonly Column<Trade>[] = [
  { head: "Detected, UTC", cell: (row) => <UtcTime atMs={row.detect_at_ns / 1e6} className="text-text-2" /> },
  { head: "Asset", cell: (row) => <Asset trade={row} /> },
  { head: "Buy / sell", cell: (row) => <Direction ends={directionEnds(row.direction)} className="text-text-2" /> },
  { head: "Size", right: true, cell: (row) => format.quantity(row.size_base) },
  { head: "Notional", right: true, cell: (row) => <Money value={row.notional_usd} decimals={2} /> },
  {
    head: "Both filled",
    right: true,
    cell: (row) =>
      row.both_filled_ms === null ? (
        <Unknown why="Not both legs are filled" />
      ) : (
        format.latency(row.both_filled_ms)
      ),
  },
  {
    head: "Predicted",
    right: true,
    cell: (row) => <Money value={row.expected_pnl_usd} decimals={2} className="text-text-2" />,
  },
  {
    head: "Realised",
    right: true,
    cell: (row) =>
      row.realised_pnl_usd === null ? (
        <Unknown why="Not booked yet" className="text-text-3" />
      ) : (
        <Pnl value={row.realised_pnl_usd} className="font-semibold" />
      ),
  },
  { head: "Order", cell: (row) => <span className="text-text-2">{orderWord(row.policy)}</span> },
  { head: "Outcome", cell: (row) => <Outcome trade={row} /> },
  {
    head: "Records",
    cell: (row) =>
      row.book === "paper" ? (
        <span className="text-text-3">modelled</span>
      ) : (
        <Chip tone="quiet" icon={row.verified ? Check : Clock3}>
          {row.verified ? "Verified" : "Not verified"}
        </Chip>
      ),
  },
  {
    head: "Intent",
    cell: (row) => (
      <span title={row.intent_key} className="font-mono text-micro text-text-3">
        {format.shortId(row.intent_key)}
      </span>
    ),
  },
];

function Asset({ trade }: { readonly trade: Trade }) {
  return (
    <span className="flex items-center gap-2 font-semibold">
      {trade.asset}
      <BookChip book={trade.book} />
    </span>
  );
}

function Outcome({ trade }: { readonly trade: Trade }) {
  const { words, abnormal } = outcomeOf(trade);
  return (
    <span title={trade.reason === "" ? undefined : trade.reason} className={abnormal ? "text-warn" : "text-text-2"}>
      {words}
    </span>
  );
}

const BOOKS = ["live", "paper"] as const;
type Book = Trade["book"];
const BOOK_WORD: Record<Book, string> = { live: "Live", paper: "Paper" };

/** Which ledger is listed; paper trades carry their own mark and are never summed with live. */
function BookFilter({ book, onBook }: { readonly book: Book; readonly onBook: (book: Book) => void }) {
  return (
    <div role="group" aria-label="Ledger" className="flex overflow-hidden rounded-control border border-line-2">
      {BOOKS.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={one === book}
          data-testid={testId.tradesBook(one)}
          onClick={() => onBook(one)}
          className="min-h-7 border-r border-line-2 px-2.5 text-text-2 last:border-r-0 hover:bg-surface-3 aria-pressed:bg-surface-3 aria-pressed:font-semibold aria-pressed:text-text-1 max-sm:min-h-11"
        >
          {BOOK_WORD[one]}
        </button>
      ))}
    </div>
  );
}

/** Trades of a book, newest first: paper ones as stored, live ones as the stream has them. */
function useTrades(book: Book): readonly Trade[] | undefined {
  const streamed = useDesk("trades");
  const stored = useRead("/v1/trades", book === "paper" ? { book, limit: "100" } : null);
  const own = streamed?.filter((trade) => trade.book === book);
  if (book === "live" || own === undefined) return own;
  const listed = tradeSchema.array().safeParse(stored.data?.rows ?? []);
  return mergeRows(listed.data ?? [], own, (row) => row.id, (row) => row.detect_at_ns);
}

export function Trades() {
  const mode = useDesk("status")?.mode;
  const [search, setSearch] = useSearchParams();
  const home: Book = mode === "paper" ? "paper" : "live";
  const asked = search.get("book");
  const book = BOOKS.find((one) => one === asked) ?? home;
  const opened = search.get("sel");
  const shown = useTrades(book);
  const change = (name: "sel" | "book", value: string | null) => {
    setSearch((before) => {
      const next = new URLSearchParams(before);
      if (value === null) next.delete(name);
      else next.set(name, value);
      return next;
    }, { replace: name === "sel" && opened !== null });
  };
  return (
    <div data-testid={testId.tradesScreen}>
      <h1 className="sr-only">Trades</h1>
      <CardBoundary name="Trades">
        <Card
          title="Trades"
          context={
            book === "paper"
              ? "model fills in a ledger of their own, never summed with live"
              : "the last 20 at sign-in and every one since"
          }
          aside={<BookFilter book={book} onBook={(next) => change("book", next === home ? null : next)} />}
        >
          {shown === undefined ? (
            <SkeletonRows rows={10} height={40} />
          ) : shown.length === 0 ? (
            <Empty>
              {book === "live"
                ? "No trades yet. They appear here when both legs of a window are sent."
                : "No paper trades yet. An asset on paper makes them at live prices, sending nothing."}
            </Empty>
          ) : (
            <ListTable
              label="Trades"
              columns={COLUMNS}
              rows={shown.slice(0, 200)}
              rowKey={(row) => row.id}
              rowTestId={(row) => testId.tradeRow(row.id)}
              testId={testId.tradesTable}
              onOpen={(row) => change("sel", row.id)}
              opened={opened}
            />
          )}
        </Card>
      </CardBoundary>
      {opened === null ? null : (
        <CardBoundary name="Trade">
          <TradeSheet key={opened} id={opened} stored={shown?.find((row) => row.id === opened)} onClose={() => change("sel", null)} />
        </CardBoundary>
      )}
    </div>
  );
}
