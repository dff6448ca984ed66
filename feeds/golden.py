"""Check recorded truth against our market math: book checksums and on-chain swap rows.

Reads newline-delimited JSON (plain or .gz) and returns a report; the commands
`verify_book` and `verify_quotes` print it, tests assert it. Not here: the live parser,
which validates more and keeps less.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

import msgspec

from arbsite.errors import FeedCorrupt, SetupError
from feeds.market import clmm, cpmm
from feeds.market.book import TOKEN_HOOK, Book, RawLevel
from feeds.market.pools import (
    AdaptiveFee,
    CpmmPool,
    QuoteRefused,
    Swap,
    TickArray,
    TransferFee,
    Whirlpool,
)
from feeds.market.ticks import Tick

Note = Callable[[str], None]
Progress = Callable[[int], None]


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, stripped line) of a text or .gz file, blank lines left out.

    Raises SetupError with one sentence when the file cannot be read.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(cast("BinaryIO", lines), start=1):
                stripped = line.strip()
                if stripped:
                    yield number, stripped
    except FileNotFoundError:
        raise SetupError(f"There is no file {path}; give the path of a recording.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise SetupError(f"{path} cannot be read: {error}.") from error


class CheckLog:
    """What a check says while it runs: the first faults, and progress on a terminal."""

    _SHOWN_FAULTS = 20
    _LINES_A_SIGN = 2_000

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._faults = 0

    def note(self, text: str) -> None:
        """Show one fault; the rest of a long series is only counted."""
        self._faults += 1
        if self._faults <= self._SHOWN_FAULTS:
            print(text, file=self._stream)

    def progress(self, line_number: int) -> None:
        """Show how far a long file is read, on a terminal only."""
        if self._is_terminal and line_number % self._LINES_A_SIGN == 0:
            print(f"\r{line_number} lines", end="", file=self._stream, flush=True)

    def finish(self) -> None:
        """Close the progress line and count the faults that were not shown."""
        if self._is_terminal:
            print("\r", end="", file=self._stream)
        if self._faults > self._SHOWN_FAULTS:
            print(f"... and {self._faults - self._SHOWN_FAULTS} more", file=self._stream)


# --- order books -----------------------------------------------------------------------


class _WireBook(msgspec.Struct):
    symbol: str
    checksum: int
    bids: list[RawLevel] = []
    asks: list[RawLevel] = []


class _Envelope(msgspec.Struct):
    channel: Any = ""
    type: Any = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


_books_decoder = msgspec.json.Decoder(list[_WireBook], float_hook=TOKEN_HOOK)


class BookReport(msgspec.Struct):
    """What `verify_book` prints as its last line; `ignored` counts frames of other kinds."""

    frames: int = 0
    verified: int = 0
    mismatched: int = 0
    ignored: int = 0


class BookVerifier:
    """Feeds recorded frames to one book per symbol and counts matching checksums."""

    def __init__(self, price_precision: int, qty_precision: int, depth: int) -> None:
        self._shape = (price_precision, qty_precision, depth)
        self._books: dict[str, Book] = {}
        self.report = BookReport()

    def take(self, line: bytes) -> str | None:
        """Count one line; return why it mismatched, None when it did not."""
        try:
            frame = msgspec.json.decode(line, type=_Envelope)
        except msgspec.ValidationError:
            self.report.ignored += 1
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._count(f"not JSON: {error}")
        if frame.channel != "book":
            self.report.ignored += 1
            return None
        try:
            books = _books_decoder.decode(frame.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._count(f"not a book frame: {error}")
        if frame.type not in ("snapshot", "update") or not books:
            return self._count("not a book frame: neither a snapshot nor an update")
        faults = [self._apply(book, frame.type == "snapshot") for book in books]
        return self._count(next((fault for fault in faults if fault), None))

    def _apply(self, frame: _WireBook, is_snapshot: bool) -> str | None:
        book = self._books.get(frame.symbol)
        if book is None:
            book = self._books[frame.symbol] = Book(*self._shape)
        if not is_snapshot and not book.is_valid:
            return f"{frame.symbol}: no valid book to update, waiting for a snapshot"
        apply = book.apply_snapshot if is_snapshot else book.apply_update
        try:
            if apply(frame.bids, frame.asks, frame.checksum):
                return None
        except FeedCorrupt as error:
            return f"{frame.symbol}: {error}"
        return f"{frame.symbol}: checksum {frame.checksum} expected, {book.checksum()} found"

    def _count(self, fault: str | None) -> str | None:
        self.report.frames += 1
        if fault is None:
            self.report.verified += 1
        else:
            self.report.mismatched += 1
        return fault


def verify_book(
    path: Path,
    price_precision: int,
    qty_precision: int,
    depth: int,
    *,
    note: Note,
    progress: Progress | None = None,
) -> BookReport:
    """Verify every checksum of a recording; `note` receives one text per mismatch."""
    verifier = BookVerifier(price_precision, qty_precision, depth)
    for number, line in read_lines(path):
        fault = verifier.take(line)
        if fault is not None:
            note(f"line {number}: {fault}")
        if progress is not None:
            progress(number)
    return verifier.report


# --- swaps -----------------------------------------------------------------------------

Row = dict[str, Any]


class QuotesReport(msgspec.Struct):
    """What `verify_quotes` prints as its last line; `wrong` holds row ids."""

    rows: int = 0
    exact: int = 0
    refused_as_chain: int = 0
    wrong: list[str] = []


def whirlpool_from_row(row: Row) -> Whirlpool:
    """Build the pool of a golden Whirlpool row, with the arrays its swap carried."""
    pool, oracle = row["pool"], row["oracle"]
    return Whirlpool(
        address=row["id"],
        mint_a="A",
        mint_b="B",
        vault_a="",
        vault_b="",
        tick_arrays=tuple(sorted(map(_array_from_row, row["tick_arrays"]), key=_start_of)),
        oracle=None if oracle is None else AdaptiveFee(**_integers(oracle)),
        transfer_fee_a=_transfer_fee_from_row(row["transfer_fee_a"]),
        transfer_fee_b=_transfer_fee_from_row(row["transfer_fee_b"]),
        **_integers(pool),
    )


def cpmm_from_row(row: Row) -> CpmmPool:
    """Build the pool of a golden CPMM row; the rows were made with the 2025-03 build."""
    pool, config = row["pool"], row["config"]
    return CpmmPool(
        address=row["id"],
        amm_config="",
        mint_a="A",
        mint_b="B",
        vault_a="",
        vault_b="",
        vault_a_raw=int(pool["vault_0"]),
        vault_b_raw=int(pool["vault_1"]),
        protocol_fees_a=int(pool["protocol_fees_0"]),
        protocol_fees_b=int(pool["protocol_fees_1"]),
        fund_fees_a=int(pool["fund_fees_0"]),
        fund_fees_b=int(pool["fund_fees_1"]),
        creator_fees_a=0,
        creator_fees_b=0,
        creator_fee_on=0,
        enable_creator_fee=0,
        status=int(pool["status"]),
        open_time=int(pool["open_time"]),
        program_build=row.get("program_build", "pre_2025_08"),
        trade_fee_rate=int(config["trade_fee_rate"]),
        protocol_fee_rate=int(config["protocol_fee_rate"]),
        fund_fee_rate=int(config["fund_fee_rate"]),
    )


def swap_row(row: Row) -> Swap | QuoteRefused:
    """Quote the swap of a golden row with exactly the accounts its transaction carried."""
    order = row["swap"]
    amount = int(order["amount"])
    if "tick_arrays" not in row:
        return cpmm.swap(
            cpmm_from_row(row),
            amount,
            exact_in=order["exact_in"],
            a_to_b=order["zero_for_one"],
            now_s=int(row.get("timestamp", row["pool"]["open_time"])),
        )
    pool = whirlpool_from_row(row)
    a_to_b = order["a_to_b"]
    carried = [array.start_index for array in pool.tick_arrays]
    return clmm.swap(
        pool,
        amount,
        exact_in=order["amount_specified_is_input"],
        a_to_b=a_to_b,
        now_s=int(row["timestamp"]),
        arrays=clmm.carried_arrays(pool, a_to_b, carried),
    )


def fault_of_row(row: Row) -> str | None:
    """Say how our answer differs from the chain's; None when it is the same."""
    ours, chain = swap_row(row), row["onchain"]
    if isinstance(ours, QuoteRefused):
        if chain["ok"]:
            return f"refused ({ours.cause}, {ours.code}), the chain swaps"
        is_out_of_compute = "ProgramFailedToComplete" in str(chain.get("error"))
        if ours.cause != "compute" if is_out_of_compute else ours.code != chain["code"]:
            return f"refused ({ours.cause}, {ours.code}), the chain says {chain['code']}"
        return None
    if not chain["ok"]:
        return f"quoted, the chain refuses ({chain['code']}, {chain.get('error', '')})"
    expected = {"amount_in": chain["amount_in"], "amount_out": chain["amount_out"]}
    expected.update(chain["post"])
    expected.update(chain.get("post_oracle") or {})
    found = _outcome_fields(ours)
    differing = [
        f"{name} {found.get(name)} instead of {value}"
        for name, value in expected.items()
        if found.get(name) != int(value)
    ]
    return "; ".join(differing) or None


def verify_quotes(path: Path, *, note: Note, progress: Progress | None = None) -> QuotesReport:
    """Check every row of a golden file; `note` receives one text per wrong row."""
    report = QuotesReport()
    for number, line in read_lines(path):
        report.rows += 1
        name, is_refusal = f"line {number}", False
        try:
            row = msgspec.json.decode(line, type=dict[str, Any])
            name = str(row.get("id", name))
            is_refusal = not row["onchain"]["ok"]
            fault = fault_of_row(row)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            fault = f"not a row: {error}"
        except (KeyError, TypeError, ValueError) as error:
            fault = f"not a golden row: {type(error).__name__} {error}"
        if fault is not None:
            report.wrong.append(name)
            note(f"{name}: {fault}")
        elif is_refusal:
            report.refused_as_chain += 1
        else:
            report.exact += 1
        if progress is not None:
            progress(number)
    return report


def _outcome_fields(swap: Swap) -> dict[str, int]:
    fields = {"amount_in": swap.amount_in, "amount_out": swap.amount_out}
    after = swap.after
    if isinstance(after, CpmmPool):
        return fields | {
            "vault_0": after.vault_a_raw,
            "vault_1": after.vault_b_raw,
            "protocol_fees_0": after.protocol_fees_a,
            "protocol_fees_1": after.protocol_fees_b,
            "fund_fees_0": after.fund_fees_a,
            "fund_fees_1": after.fund_fees_b,
        }
    fields |= msgspec.structs.asdict(after)
    if isinstance(after, Whirlpool) and after.oracle is not None:
        fields |= msgspec.structs.asdict(after.oracle)
    return fields


def _array_from_row(array: Row) -> TickArray:
    ticks = tuple(
        Tick(tick["tick_index"], int(tick["liquidity_net"]), int(tick["liquidity_gross"]))
        for tick in array.get("ticks") or ()
    )
    return TickArray(array["start_tick_index"], ticks, exists=array["kind"] != "missing")


def _start_of(array: TickArray) -> int:
    return array.start_index


def _transfer_fee_from_row(fee: Row | None) -> TransferFee | None:
    return None if fee is None else TransferFee(**_integers(fee))


def _integers(fields: Row) -> dict[str, int]:
    return {name: int(value) for name, value in fields.items()}
