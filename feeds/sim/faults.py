"""Named fault knobs of the simulated venues, and the HTTP page that turns them.

Both venues ask the board at the moment a fault would act; tests set knobs by code, the
demo by `POST /sim/faults {"name": …, "value": …, "seconds": …}` (`GET` lists them).
Not here: what a fault does. Probabilities are 0..1; a one-shot acts once when it is set.

Kraken knobs
    kraken.stall                 flag   no frame leaves any socket, no request is taken; what
                                        was held goes out late when it ends
    kraken.heartbeat_only        flag   data frames are lost; heartbeats, acks and status pass
    kraken.silent_after_ack      flag   subscriptions made meanwhile are acked and never send data
    kraken.drop_sockets          shot   every open socket is cut without a closing handshake
    kraken.drop_update_p         prob   a book update is lost (the next one fails its checksum)
    kraken.corrupt_update_p      prob   a digit of a book update is changed, its checksum is not
    kraken.duplicate_update_p    prob   a book update is sent twice (harmless)
    kraken.reorder_update_p      prob   a book update is held back behind the following one
    kraken.executions_first_p    prob   an order's executions overtake its ack
    kraken.duplicate_execution_p prob   a trade frame comes again under the next sequence number
    kraken.sequence_gap          shot   the next executions frame of every socket is lost
    kraken.ack_lost_placed_p     prob   the order is executed, its ack or REST answer never comes
    kraken.ack_lost_not_placed_p prob   the order request vanishes
    kraken.service_busy_p        prob   answered EService:Busy; executed or not by a fair coin
    kraken.zero_fill_p           prob   an order that takes nothing although it could
    kraken.partial_p             prob   an order takes 10–90 % of its quantity at most
    kraken.html_502_p            prob   a REST call gets an HTML 502; acted on or not by a fair coin
    kraken.book_shape            word   normal | crossed | one_sided | thin: what the feed shows of
                                        every book (checksums fit; the engine's book is untouched)
    kraken.expire_tokens         shot   every WebSocket token dies, those in use too
    kraken.rate_limited_p        prob   an order or REST call is refused, Rate limit exceeded
    kraken.invalid_nonce_p       prob   a REST call is refused, Invalid nonce
    kraken.key_revoked           flag   REST says EAPI:Invalid key, orders ESession:Invalid session
    kraken.key_may_withdraw      flag   the key has the withdraw permission it should not have
    kraken.clock_off_s           number the venue's clock, as /Time tells it, is this far ahead
    kraken.deadline_ignored      flag   an order's deadline is not looked at
    kraken.visibility_lag_s      number closed orders and trades appear in REST this much later
    kraken.system_status         word   online | maintenance | cancel_only | post_only
    kraken.pair_status           map    {symbol: status}; pairs not named are online
    kraken.moved_by_hand         shot   {asset: amount} comes to (or, negative, leaves) every
                                        account without a trade, as by a transfer nobody planned
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

FaultValue = bool | int | float | str | dict[str, str]

KRAKEN_KNOBS: dict[str, FaultValue] = {
    "kraken.stall": False,
    "kraken.heartbeat_only": False,
    "kraken.silent_after_ack": False,
    "kraken.drop_sockets": False,
    "kraken.drop_update_p": 0.0,
    "kraken.corrupt_update_p": 0.0,
    "kraken.duplicate_update_p": 0.0,
    "kraken.reorder_update_p": 0.0,
    "kraken.executions_first_p": 0.0,
    "kraken.duplicate_execution_p": 0.0,
    "kraken.sequence_gap": False,
    "kraken.ack_lost_placed_p": 0.0,
    "kraken.ack_lost_not_placed_p": 0.0,
    "kraken.service_busy_p": 0.0,
    "kraken.zero_fill_p": 0.0,
    "kraken.partial_p": 0.0,
    "kraken.html_502_p": 0.0,
    "kraken.book_shape": "normal",
    "kraken.expire_tokens": False,
    "kraken.rate_limited_p": 0.0,
    "kraken.invalid_nonce_p": 0.0,
    "kraken.key_revoked": False,
    "kraken.key_may_withdraw": False,
    "kraken.clock_off_s": 0.0,
    "kraken.deadline_ignored": False,
    "kraken.visibility_lag_s": 0.0,
    "kraken.system_status": "online",
    "kraken.pair_status": {},
    "kraken.moved_by_hand": {},
}
KRAKEN_SHOTS = frozenset(
    {
        "kraken.drop_sockets",
        "kraken.sequence_gap",
        "kraken.expire_tokens",
        "kraken.moved_by_hand",
    }
)


class RandomSource(Protocol):
    """The draws the simulator makes; a stream of arbsite.clock has them."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def uniform(self, a: float, b: float) -> float:
        """Uniform between the two."""

    def lognormvariate(self, mu: float, sigma: float) -> float:
        """exp of a normal draw."""

    def getrandbits(self, k: int, /) -> int:
        """A k-bit integer."""


class FaultRefused(ValueError):
    """No such knob, or a value of the wrong kind; the text names what is accepted."""


class FaultOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /sim/faults`; without `seconds` the knob stays until reset."""

    name: str
    value: FaultValue
    seconds: float | None = None


Watcher = Callable[[FaultValue], None]


class FaultBoard:
    """The knobs of one run and their present values.

    Venues `declare` their knobs once; the Kraken ones are there from the start.
    """

    def __init__(self) -> None:
        self._normal: dict[str, FaultValue] = {}
        self._values: dict[str, FaultValue] = {}
        self._shots: set[str] = set()
        self._watchers: dict[str, list[Watcher]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changed: dict[asyncio.Event, None] = {}
        self.declare(KRAKEN_KNOBS, shots=KRAKEN_SHOTS)

    def declare(self, knobs: Mapping[str, FaultValue], *, shots: frozenset[str]) -> None:
        """Add knobs with the value that means "no fault"; `shots` act once and never stay."""
        for name, value in knobs.items():
            self._normal[name] = value
            self._values.setdefault(name, value)
        self._shots |= shots

    def watch(self, name: str, watcher: Watcher) -> None:
        """Call `watcher(value)` whenever the knob is set, and when it falls back."""
        self._watchers.setdefault(self._known(name), []).append(watcher)

    def set(self, name: str, value: FaultValue, seconds: float | None = None) -> None:
        """Turn a knob; after `seconds` of loop time it falls back (needs a running loop).

        Raises FaultRefused on an unknown name or a value of another kind than the normal one.
        """
        checked = self._checked(self._known(name), value)
        if timer := self._timers.pop(name, None):
            timer.cancel()
        if seconds is not None:
            if not (math.isfinite(seconds) and seconds > 0):
                raise FaultRefused("seconds must be a positive number")
            loop = asyncio.get_running_loop()
            self._timers[name] = loop.call_later(seconds, self.reset, name)
        self._store(name, checked)

    def reset(self, name: str | None = None) -> None:
        """Put one knob, or all, back to no fault."""
        for each in [self._known(name)] if name else list(self._normal):
            if timer := self._timers.pop(each, None):
                timer.cancel()
            if self._values[each] != self._normal[each]:
                self._store(each, self._normal[each])

    def get(self, name: str) -> FaultValue:
        """Return the present value."""
        return self._values[self._known(name)]

    def is_on(self, name: str) -> bool:
        """Whether a flag is set."""
        return bool(self.get(name))

    def number(self, name: str) -> float:
        """Return a numeric knob's value."""
        value = self.get(name)
        if not isinstance(value, int | float):
            raise FaultRefused(f"{name} is not a number")
        return float(value)

    def strikes(self, name: str, rng: RandomSource) -> bool:
        """Draw a probability knob; draws nothing while it is zero, so seeds stay comparable."""
        chance = self.number(name)
        return chance > 0 and rng.random() < chance

    async def wait_off(self, name: str) -> None:
        """Return at once when the flag is off, else when it goes off."""
        while self.is_on(name):
            changed = asyncio.Event()
            self._changed[changed] = None
            try:
                await changed.wait()
            finally:
                del self._changed[changed]

    def snapshot(self) -> dict[str, FaultValue]:
        """All knobs and values, by name."""
        return dict(sorted(self._values.items()))

    def _known(self, name: str) -> str:
        if name not in self._normal:
            raise FaultRefused(f"no knob {name!r}; there are {', '.join(sorted(self._normal))}")
        return name

    def _checked(self, name: str, value: FaultValue) -> FaultValue:
        normal = self._normal[name]
        if isinstance(normal, bool):
            is_fit = isinstance(value, bool | int) and value in (0, 1)
        elif isinstance(normal, int | float):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            top = 1.0 if name.endswith("_p") else math.inf
            is_fit = is_number and math.isfinite(float(value)) and 0 <= float(value) <= top  # type: ignore[arg-type]
        else:
            is_fit = isinstance(value, type(normal))
        if not is_fit:
            raise FaultRefused(f"{name} takes a value like {normal!r}, got {value!r}")
        return value

    def _store(self, name: str, value: FaultValue) -> None:
        is_shot = name in self._shots
        before = self._values[name]
        if not is_shot:
            self._values[name] = value
        if not is_shot or value:
            try:
                for watcher in self._watchers.get(name, ()):
                    watcher(value)
            except ValueError as wrong:
                self._values[name] = before
                raise FaultRefused(str(wrong)) from wrong
        for changed in self._changed:
            changed.set()


class FaultControl:
    """The board behind HTTP; a hosted server like the venues (feeds/sim/hosting.py)."""

    def __init__(self, board: FaultBoard) -> None:
        self._board = board

    async def http(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, str]:
        """GET lists the knobs, POST turns one, DELETE resets all; 400 says what is wrong."""
        if method == "POST":
            try:
                order = msgspec.json.decode(body, type=FaultOrder)
                self._board.set(order.name, order.value, order.seconds)
            except (msgspec.DecodeError, FaultRefused) as wrong:
                return 400, msgspec.json.encode({"error": str(wrong)}), "application/json"
        elif method == "DELETE":
            self._board.reset()
        elif method != "GET":
            return 405, b"", "text/plain"
        return 200, msgspec.json.encode(self._board.snapshot()), "application/json"
