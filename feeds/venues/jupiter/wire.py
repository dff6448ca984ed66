"""Jupiter's two HTTP shapes as checked values: v1 quote + swap-instructions, v2 build.

JSON in, structs out; anything that is not what the API documents is `FeedCorrupt`. Amounts
are decimal text on the wire and integers here. Called by `client`; the simulated server
writes the same shapes with code of its own. Not here: HTTP, limits, what is allowed.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, TypeVar

import msgspec

from arbsite.errors import FeedCorrupt
from feeds.venues.base import RouteAccount

_MAX_RAW = 1 << 64
_MAX_ACCOUNTS = 64
_MAX_HOPS = 16
_MAX_TEXT = 64

T = TypeVar("T")


class SwapStep(msgspec.Struct, frozen=True, rename="camel"):
    """What one hop of a plan does; amounts as the wire has them."""

    amm_key: str
    input_mint: str
    output_mint: str
    label: str = ""


class PlanStep(msgspec.Struct, frozen=True, rename="camel"):
    """One hop and its share, in percent (older shape) or basis points."""

    swap_info: SwapStep
    percent: int | None = None
    bps: int | None = None


class PlatformFee(msgspec.Struct, frozen=True, rename="camel"):
    """A fee for an integrator; ours must be none."""

    fee_bps: int = 0


class WireQuote(msgspec.Struct, frozen=True, rename="camel"):
    """What a v1 quote and a v2 build have in common."""

    input_mint: str
    output_mint: str
    in_amount: str
    out_amount: str
    other_amount_threshold: str
    swap_mode: str
    slippage_bps: int
    route_plan: list[PlanStep]
    platform_fee: PlatformFee | None = None
    context_slot: int | None = None


class WireAccount(msgspec.Struct, frozen=True, rename="camel"):
    pubkey: str
    is_signer: bool
    is_writable: bool


class WireInstruction(msgspec.Struct, frozen=True, rename="camel"):
    """An instruction as JSON; data in base64."""

    program_id: str
    accounts: list[WireAccount]
    data: str

    def route_accounts(self) -> tuple[RouteAccount, ...]:
        """The accounts in order; FeedCorrupt on a list no transaction could carry."""
        if len(self.accounts) > _MAX_ACCOUNTS:
            raise FeedCorrupt(f"an instruction with {len(self.accounts)} accounts")
        return tuple(
            RouteAccount(_address(one.pubkey), one.is_signer, one.is_writable)
            for one in self.accounts
        )

    def raw_data(self) -> bytes:
        """The data bytes; FeedCorrupt when they are not base64."""
        try:
            return base64.b64decode(self.data, validate=True)
        except ValueError as error:
            raise FeedCorrupt("instruction data is not base64") from error


class WireInstructions(msgspec.Struct, frozen=True, rename="camel"):
    """The instructions of both shapes; address tables only shorten a message, so are unused."""

    swap_instruction: WireInstruction
    setup_instructions: list[WireInstruction] = []
    other_instructions: list[WireInstruction] = []
    cleanup_instruction: WireInstruction | None = None
    tip_instruction: WireInstruction | None = None


class WireHeight(msgspec.Struct, frozen=True, rename="camel"):
    last_valid_block_height: int


class WireBuild(msgspec.Struct, frozen=True, rename="camel"):
    """What only a v2 build has: how old the node behind it is."""

    blockhash_with_metadata: WireHeight | None = None


class WireError(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a refusal; the two APIs name the text differently."""

    error: str = ""
    message: str = ""
    error_code: str = ""


def decode(body: bytes, kind: type[T]) -> T:
    """Decode a JSON body; FeedCorrupt names the field that is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FeedCorrupt(f"jupiter: {str(error)[:200]}") from error


def decode_quote(body: bytes) -> WireQuote:
    """Decode and check the quote part of either shape."""
    quote = decode(body, WireQuote)
    if not 1 <= len(quote.route_plan) <= _MAX_HOPS:
        raise FeedCorrupt(f"jupiter: a plan of {len(quote.route_plan)} hops")
    for text in (quote.in_amount, quote.out_amount, quote.other_amount_threshold):
        raw_of(text)
    if quote.context_slot is not None and not 0 <= quote.context_slot < _MAX_RAW:
        raise FeedCorrupt("jupiter: context slot")
    for step in quote.route_plan:
        share_bps(step)
        hop = step.swap_info
        for address in (hop.amm_key, hop.input_mint, hop.output_mint):
            _address(address)
        if len(hop.label) > _MAX_TEXT:
            raise FeedCorrupt("jupiter: a label that long")
    return quote


def raw_of(text: str) -> int:
    """Return a decimal u64; FeedCorrupt on signs, spaces, other digits, or more."""
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise FeedCorrupt(f"jupiter: amount {text[:24]!r}")
    value = int(text)
    if value >= _MAX_RAW:
        raise FeedCorrupt(f"jupiter: amount {text}")
    return value


def _address(text: str) -> str:
    """Return a base58 address of plausible length; who signs decodes it for good."""
    if not 32 <= len(text) <= 44 or not text.isalnum() or not text.isascii():
        raise FeedCorrupt(f"jupiter: address {text[:48]!r}")
    return text


def share_bps(step: PlanStep) -> int:
    """Return a hop's share of its input in basis points; FeedCorrupt on none or nonsense."""
    share = step.bps
    if share is None:
        share = 0 if step.percent is None else step.percent * 100
    if not 0 < share <= 10_000:
        raise FeedCorrupt("jupiter: a hop without a share of its input")
    return share


def route_id(plan: list[PlanStep]) -> str:
    """Name a plan by its hops and shares: sixteen hex digits, equal for equal plans."""
    hops: list[list[Any]] = [
        [
            step.swap_info.amm_key,
            step.swap_info.label,
            step.swap_info.input_mint,
            step.swap_info.output_mint,
            share_bps(step),
        ]
        for step in plan
    ]
    return hashlib.sha256(msgspec.json.encode(hops)).hexdigest()[:16]
