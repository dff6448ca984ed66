"""What a Jupiter swap instruction says: amounts, fees, hops and its leading accounts.

A reader of the two forms an own-accounts swap may take, `route` and `route_v2`. The data
is read forward and must be used up: the program ignores what follows its arguments, so a
reader that looked at the tail could be shown other figures than those executed. Swap kinds
that are not listed cannot be measured and are refused. Called by `route_firewall`; decides
nothing about limits.
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.venues.solana.programs import PoolKind, anchor_discriminator

ROUTE_DISC = anchor_discriminator("route")
ROUTE_V2_DISC = anchor_discriminator("route_v2")

_U32 = struct.Struct("<I")
_TAIL = struct.Struct("<QQHB")  # route: in, quoted out, slippage bps, platform fee bps
_HEAD = struct.Struct("<QQHHH")  # route_v2: the same, and the share of positive slippage
_MAX_HOPS = 8

# Swap kinds by their number in the program's enum: the pool kind behind it and whether a
# direction byte and an (empty) list of remaining accounts follow.
_RAYDIUM, _WHIRLPOOL, _RAYDIUM_CP, _WHIRLPOOL_V2 = 7, 17, 46, 47
_KINDS: dict[int, PoolKind] = {
    _RAYDIUM: "ammv4",
    _WHIRLPOOL: "whirlpool",
    _RAYDIUM_CP: "cpmm",
    _WHIRLPOOL_V2: "whirlpool",
}

RouteForm = Literal["route", "route_v2"]


class RouteHop(msgspec.Struct, frozen=True):
    """One step: the kind of pool, its share of the input and where it flows from and to.

    `a_to_b` is None where the pool tells the direction by the accounts.
    """

    kind: PoolKind
    a_to_b: bool | None
    is_whole: bool
    input_index: int
    output_index: int


class RouteCall(msgspec.Struct, frozen=True):
    """The arguments of one swap; amounts raw, rates in basis points."""

    form: RouteForm
    amount_in: int
    quoted_out: int
    slippage_bps: int
    platform_fee_bps: int
    positive_slippage_bps: int
    hops: tuple[RouteHop, ...]

    @property
    def min_out(self) -> int:
        """The least output the program accepts, rounded down: what can be relied on."""
        return self.quoted_out * max(0, 10_000 - self.slippage_bps) // 10_000


class RouteHead(msgspec.Struct, frozen=True):
    """The leading accounts of a swap by role, and the hops' accounts after them.

    `optional` are the places that name the program itself when they are left out.
    """

    authority: str
    source: str
    target: str
    mints: tuple[str | None, str]
    token_programs: tuple[str, ...]
    optional: tuple[str, ...]
    event_authority: str
    program: str
    rest: tuple[str, ...]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        chunk = self._data[self._at : self._at + count]
        if len(chunk) != count:
            raise FeedCorrupt("route data ends early")
        self._at += count
        return chunk

    def flag(self) -> bool:
        value = self.take(1)[0]
        if value > 1:
            raise FeedCorrupt(f"route flag {value}")
        return bool(value)

    def finish(self) -> None:
        if self._at != len(self._data):
            raise FeedCorrupt("bytes after the route's arguments")


def decode_route(data: bytes) -> RouteCall:
    """Read instruction data; FeedCorrupt when it is no form, swap kind or length known."""
    reader = _Reader(data)
    disc = reader.take(8)
    if disc == ROUTE_DISC:
        hops = _read_hops(reader, is_v2=False)
        amount_in, quoted_out, slippage, fee = _TAIL.unpack(reader.take(_TAIL.size))
        call = RouteCall("route", amount_in, quoted_out, slippage, fee, 0, hops)
    elif disc == ROUTE_V2_DISC:
        amount_in, quoted_out, slippage, fee, surplus = _HEAD.unpack(reader.take(_HEAD.size))
        hops = _read_hops(reader, is_v2=True)
        call = RouteCall("route_v2", amount_in, quoted_out, slippage, fee, surplus, hops)
    else:
        raise FeedCorrupt(f"route instruction {disc.hex()}")
    reader.finish()
    return call


def _read_hops(reader: _Reader, *, is_v2: bool) -> tuple[RouteHop, ...]:
    count = _U32.unpack(reader.take(4))[0]
    if not 1 <= count <= _MAX_HOPS:
        raise FeedCorrupt(f"{count} hops")
    return tuple(_read_hop(reader, is_v2=is_v2) for _ in range(count))


def _read_hop(reader: _Reader, *, is_v2: bool) -> RouteHop:
    number = reader.take(1)[0]
    kind = _KINDS.get(number)
    if kind is None:
        raise FeedCorrupt(f"swap kind {number}")
    a_to_b = reader.flag() if kind == "whirlpool" else None
    if number == _WHIRLPOOL_V2 and reader.flag():
        raise FeedCorrupt("a hop with extra accounts")
    share = int.from_bytes(reader.take(2 if is_v2 else 1), "little")
    is_whole = share == (10_000 if is_v2 else 100)
    input_index, output_index = reader.take(2)
    return RouteHop(kind, a_to_b, is_whole, input_index, output_index)


def head_of(form: RouteForm, accounts: list[str]) -> RouteHead:
    """Name the leading accounts of a swap; FeedCorrupt when there are too few."""
    fixed = 9 if form == "route" else 10
    if len(accounts) < fixed:
        raise FeedCorrupt(f"{len(accounts)} route accounts, at least {fixed} are needed")
    rest = tuple(accounts[fixed:])
    if form == "route":
        token, authority, source, target, other, mint, fee, events, program = accounts[:9]
        return RouteHead(
            authority, source, target, (None, mint), (token,), (other, fee), events, program, rest
        )
    authority, source, target, mint_in, mint_out, token_in, token_out, other, events, program = (
        accounts[:10]
    )
    return RouteHead(
        authority, source, target, (mint_in, mint_out), (token_in, token_out), (other,), events,
        program, rest,
    )  # fmt: skip
