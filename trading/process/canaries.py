"""The engine's canaries: what the design relies on at the venues, tried at the start and daily.

Clock, deadline, nonce, our exact quote against a node's simulation, and the way of a page.
Nothing trades: orders are `validate` ones, or cannot fill and carry a deadline that has
passed; the swap is signed and simulated, never sent. A look that cannot be had is red.
Called by the host (`keep`); stored by `risk.services`; what a red one means is the
caller's (`obey`). Not here: the look before going live (`risk.preflight`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from arbsite.clock import Clock, uuid7
from arbsite.errors import FeedCorrupt, NotSent, QueryFailed
from arbsite.logs import event_logger
from arbsite.units import decimal_from_int
from feeds.market.clmm import arrays_for_swap
from feeds.market.pools import Pool, QuoteRefused, Whirlpool
from feeds.market.quote import quote
from feeds.market.spec import MarketSpec
from feeds.venues.base import CexOrder, DexSwap
from feeds.venues.kraken.trading import KrakenTrading
from feeds.venues.solana.rehearsal import Rehearsed, rehearse
from feeds.venues.solana.trading import SolanaTrading
from risk.inspection import Check, is_green, reds
from trading.engine.feed_state import FeedState

log = event_logger(__name__)
EVERY_S: Final = 86_400.0
AGAIN_S: Final = 5.0
# The market is waited for this long before its canaries are red for want of it.
MARKET_WAIT_S: Final = 30.0
MOST_CLOCK_SKEW_S: Final = 1.5
PASSED_NS: Final = 5_000_000_000
QUOTE_TRIES: Final = 5
# Signed but never sent; still it may give away no more than a real one.
SLACK_PPM: Final = 5_000
TEST_PAGE: Final = "page.test"
REMEDIES: Final = {
    "clock offset": "set this machine's clock by NTP",
    "deadline honoured": "do not trade: an order that is late could still fill; ask the venue",
    "nonce": "stop whatever else uses this key, or raise its nonce window",
    "quote against simulation": "do not trade this pool: its program is not what we compute",
    "page delivery": "repair logging: nobody would be called",
}


class Canaries:
    """All canaries of one engine process. `feeds` are the engine's own market facts."""

    def __init__(
        self,
        kraken: KrakenTrading,
        solana: SolanaTrading,
        specs: Mapping[str, MarketSpec],
        feeds: FeedState,
        clock: Clock,
    ) -> None:
        self._kraken = kraken
        self._solana = solana
        self._specs = [specs[asset] for asset in sorted(specs)]
        self._feeds = feeds
        self._clock = clock

    async def keep(
        self,
        record: Callable[[Sequence[Check]], Awaitable[None]],
        obey: Callable[[str], Awaitable[None]],
    ) -> None:
        """Look at the start and daily, for ever; `obey` hears what is red."""
        while True:
            await self._wait_for_market()
            checks = await self.look()
            await record(checks)
            if is_green(checks):
                log.info("canaries.green", looks=len(checks))
            else:
                log.critical("canaries.red", what=reds(checks))
                await obey(reds(checks))
            await asyncio.sleep(EVERY_S)

    async def look(self) -> list[Check]:
        """Try everything once."""
        looks: dict[str, Callable[[], Awaitable[tuple[bool, str]]]] = {
            "clock offset": self._clock_offset,
            "deadline honoured": self._deadline,
            "nonce": self._nonce,
            "quote against simulation": self._quotes,
            "page delivery": self._page,
        }
        return [await _tried(name, look) for name, look in looks.items()]

    async def _wait_for_market(self) -> None:
        """Until every market has a book and a pool, as far as that comes in time."""
        waited_s = 0.0
        while waited_s < MARKET_WAIT_S and not all(map(self._is_seen, self._specs)):
            await asyncio.sleep(AGAIN_S / 10)
            waited_s += AGAIN_S / 10

    def _is_seen(self, spec: MarketSpec) -> bool:
        return spec.cex_symbol in self._feeds.books and spec.pool in self._feeds.curves

    # ---- Kraken -------------------------------------------------------------------------

    async def _clock_offset(self) -> tuple[bool, str]:
        server_ns = await self._kraken.server_time_ns()
        # The venue answers in whole seconds, cut off: its middle is half a second later.
        offset_s = (self._clock.now_ns() - server_ns) / 1e9 - 0.5
        return abs(offset_s) <= MOST_CLOCK_SKEW_S, f"{offset_s:+.1f} s off"

    async def _deadline(self) -> tuple[bool, str]:
        """An order whose deadline has passed must be refused.

        Asked as `validate` first. A venue whose checks do not look at the deadline is asked
        with an order that could not fill either: an IOC at half the best bid.
        """
        for is_dry in (True, False):
            order = self._late_order(validate=is_dry)
            if order is None:
                return False, "no book to place an order by"
            refusal = await self._kraken.judge_order(order)
            if refusal:
                is_for_lateness = "eadline" in refusal
                return is_for_lateness, f"refused: {refusal}"
        return False, "an order five seconds after its deadline was taken"

    def _late_order(self, *, validate: bool) -> CexOrder | None:
        spec = self._specs[0]
        book = self._feeds.books.get(spec.cex_symbol)
        if book is None or not book.bids:
            return None
        ticks = book.bids[0][0] // 2
        ticks -= ticks % spec.price_increment_ticks
        price = decimal_from_int(ticks, spec.price_precision)
        least = decimal_from_int(spec.qty_min_lots, spec.qty_precision)
        unit = decimal_from_int(spec.qty_increment_lots, spec.qty_precision)
        # Twice the least cost: what is refused must be the lateness alone.
        wanted = max(least, 2 * Decimal(spec.cost_min) / price)
        return CexOrder(
            cl_ord_id=str(uuid7()),
            symbol=spec.cex_symbol,
            side="buy",
            qty=-(-wanted // unit) * unit,
            limit_price=price,
            deadline_ns=self._clock.now_ns() - PASSED_NS,
            validate=validate,
        )

    async def _nonce(self) -> tuple[bool, str]:
        """Two signed calls in a row; orders to be judged only do not count as private reads."""
        for _ in range(2):
            order = self._late_order(validate=True)
            if order is None:
                return False, "no book to place an order by"
            refusal = await self._kraken.judge_order(order)
            # Lateness is judged after key, signature and nonce were found good.
            if refusal and "eadline" not in refusal:
                return False, f"refused: {refusal}"
        return True, "two calls in a row were taken"

    # ---- Solana -------------------------------------------------------------------------

    async def _quotes(self) -> tuple[bool, str]:
        """Every pool's program must give exactly what we compute."""
        seen = [await self._quote_of(spec) for spec in self._specs]
        words = "; ".join(
            f"{spec.asset} {text}" for spec, (_, text) in zip(self._specs, seen, strict=True)
        )
        return all(is_same for is_same, _ in seen), words

    async def _quote_of(self, spec: MarketSpec) -> tuple[bool, str]:
        text = "no pool state"
        for _ in range(QUOTE_TRIES):
            curve = self._feeds.curves.get(spec.pool)
            if curve is None:
                return False, text
            found = sale(spec, curve.updated.state, self._clock.now_ns() // 10**9)
            if isinstance(found, str):
                return False, found
            swap, expected = found
            rehearsed = await rehearse(self._solana, swap)
            got = rehearsed.deltas_raw.get(spec.quote_mint)
            if got in self._acceptable(spec, expected):
                return True, f"{got} = {expected}" if got == expected else f"{got} after a move"
            text = _difference(rehearsed, got, expected)
            await asyncio.sleep(AGAIN_S / 10)
        return False, text

    def _acceptable(self, spec: MarketSpec, expected: int) -> set[int]:
        """The quotes of the state before the simulation and of the one known after it."""
        curve = self._feeds.curves.get(spec.pool)
        if curve is None:
            return {expected}
        after = sale(spec, curve.updated.state, self._clock.now_ns() // 10**9)
        return {expected} if isinstance(after, str) else {expected, after[1]}

    # ---- people -------------------------------------------------------------------------

    async def _page(self) -> tuple[bool, str]:
        """A record that pages must reach what writes the log (alerts hang on it)."""
        heard = _Ear()
        root = logging.getLogger()
        root.addHandler(heard)
        try:
            log.critical(TEST_PAGE, text="A test page: nothing has to be done.")
        finally:
            root.removeHandler(heard)
        writers = len(root.handlers)
        return heard.has_heard and writers > 0, f"a test page reached {writers} log writers"


class _Ear(logging.Handler):
    """Hears whether the test page comes through as one."""

    def __init__(self) -> None:
        super().__init__(logging.CRITICAL)
        self.has_heard = False

    def emit(self, record: logging.LogRecord) -> None:
        self.has_heard = self.has_heard or record.getMessage() == TEST_PAGE


def sale(spec: MarketSpec, pool: Pool, now_s: int) -> tuple[DexSwap, int] | str:
    """Sell the least order's base to a pool: the swap and our exact quote, or why not."""
    a_to_b = spec.sells_a("buy_cex_sell_dex")
    base_raw = spec.raw_from_lots(spec.qty_min_lots)
    found = quote(pool, base_raw, exact_in=True, a_to_b=a_to_b, now_s=now_s)
    if isinstance(found, QuoteRefused):
        return f"our quote is refused: {found.cause}"
    swap = DexSwap(
        pool=spec.pool,
        pool_kind=spec.pool_kind,
        a_to_b=a_to_b,
        exact_in=True,
        amount_raw=base_raw,
        threshold_raw=found.amount_out * (1_000_000 - SLACK_PPM) // 1_000_000,
        tick_array_starts=arrays_for_swap(pool, a_to_b) if isinstance(pool, Whirlpool) else (),
    )
    return swap, found.amount_out


def _difference(rehearsed: Rehearsed, got: int | None, expected: int) -> str:
    if rehearsed.error is not None:
        return f"the simulation failed: {rehearsed.error}"[:160]
    return f"the simulation gives {got}, we compute {expected}"


async def _tried(name: str, look: Callable[[], Awaitable[tuple[bool, str]]]) -> Check:
    try:
        is_fine, seen = await look()
    except (QueryFailed, FeedCorrupt, NotSent) as error:
        is_fine, seen = False, f"could not be tried: {error}"[:200]
    return Check(name, is_fine, seen, "" if is_fine else REMEDIES[name])
