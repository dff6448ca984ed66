"""A swap described in JSON, built by the very functions that build what we sign.

For people and other programs that want to see, byte for byte, what the desk would sign for
a pool: `manage.py build_swap`. Nothing is signed, sent or fetched here. Addresses that can
be derived are derived and compared; one that does not belong to the pool is refused.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from typing import Any, Literal, TypeVar

import msgspec
from solders.instruction import Instruction

from arbsite.errors import UNREADABLE, FeedCorrupt, SetupError
from feeds.market.ticks import MAX_TICK, MIN_TICK, TICKS_PER_ARRAY
from feeds.venues.solana.accounts import RawAccount
from feeds.venues.solana.ammv4_layouts import decode_ammv4_state
from feeds.venues.solana.cpmm_layouts import decode_cpmm_state
from feeds.venues.solana.programs import (
    MAINNET,
    PoolKind,
    PoolRef,
    ProgramIds,
    ammv4_swap,
    cpmm_swap,
    observation_address,
    swap_v2,
    tick_array_address,
)
from feeds.venues.solana.whirlpool_layouts import decode_tick_array, decode_whirlpool

T = TypeVar("T")


class AccountJson(msgspec.Struct, forbid_unknown_fields=True):
    """An account with its bytes: base64 text, the RPC's ["…", "base64"], or zlib'd base64."""

    pubkey: str
    owner: str
    data: str | list[str] = ""
    data_zlib_b64: str = ""

    def raw(self) -> RawAccount:
        """Decode the bytes; SetupError when they are not base64."""
        text = self.data if isinstance(self.data, str) else (self.data or [""])[0]
        try:
            if self.data_zlib_b64:
                data = zlib.decompress(base64.b64decode(self.data_zlib_b64, validate=True))
            else:
                data = base64.b64decode(text, validate=True)
        except (binascii.Error, zlib.error) as error:
            raise SetupError(f"account {self.pubkey}: its data is not base64 ({error}).") from error
        return RawAccount(self.pubkey, self.owner, 0, data)


class PoolKeys(msgspec.Struct, forbid_unknown_fields=True):
    """The unchanging accounts of a pool, for a caller without the pool's bytes."""

    address: str
    mint_a: str
    mint_b: str
    vault_a: str
    vault_b: str
    tick_spacing: int = 0
    amm_config: str = ""
    observation: str = ""


class Mints(msgspec.Struct, forbid_unknown_fields=True):
    """Which of the pool's two tokens is bought and sold, and which one pays."""

    base: str
    quote: str


class SwapRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One swap of a fixed base quantity.

    `pool` is an `AccountJson` or a `PoolKeys`. `tick_arrays` (Whirlpool only): addresses,
    accounts with bytes, or start indexes, in the order they are to stand. `side` is what
    happens to the base. Raw units: `base_quantity` of the base mint, `threshold` of the
    quote mint (most in when buying, least out when selling).
    """

    pool_kind: PoolKind
    pool: dict[str, Any]
    mints: Mints
    user: str
    side: Literal["buy", "sell"]
    base_quantity: int
    threshold: int
    tick_arrays: list[str | int | dict[str, Any]] = []


def build_swap(payload: bytes, ids: ProgramIds = MAINNET) -> Instruction:
    """Return the swap instruction a JSON request describes.

    Buying the base fixes the output (max in), selling it fixes the input (min out), as
    every leg of the desk does. SetupError, in one sentence, for whatever is wrong.
    """
    try:
        request = msgspec.json.decode(payload, type=SwapRequest, strict=False)
    except UNREADABLE as error:
        raise SetupError(f"the request cannot be read: {error}.") from error
    try:
        ref = _pool_ref(request, ids)
        sells_base = request.side == "sell"
        a_to_b = sells_base == _base_is_a(request.mints, ref)
        terms: dict[str, Any] = {
            "amount_raw": request.base_quantity,
            "threshold_raw": request.threshold,
            "exact_in": sells_base,
            "a_to_b": a_to_b,
            "ids": ids,
        }
        if ref.kind == "cpmm":
            return cpmm_swap(ref, request.user, **terms)
        if ref.kind == "ammv4":
            return ammv4_swap(ref, request.user, **terms)
        starts = tuple(_array_start(entry, ref, ids) for entry in request.tick_arrays)
        return swap_v2(ref, request.user, tick_array_starts=starts, **terms)
    except (FeedCorrupt, ValueError, OverflowError, struct.error) as error:
        raise SetupError(f"the swap cannot be built: {error}.") from error


def instruction_json(instruction: Instruction) -> dict[str, Any]:
    """Show an instruction: program id, account metas in order, data in base64."""
    return {
        "program_id": str(instruction.program_id),
        "accounts": [
            {
                "pubkey": str(meta.pubkey),
                "is_signer": meta.is_signer,
                "is_writable": meta.is_writable,
            }
            for meta in instruction.accounts
        ],
        "data": base64.b64encode(bytes(instruction.data)).decode(),
    }


def _pool_ref(request: SwapRequest, ids: ProgramIds) -> PoolRef:
    if "data" not in request.pool and "data_zlib_b64" not in request.pool:
        return _from_keys(request.pool_kind, _as(request.pool, PoolKeys, "pool"), ids)
    account = _as(request.pool, AccountJson, "pool").raw()
    if request.pool_kind == "whirlpool":
        return PoolRef.from_pool(decode_whirlpool(account, program=ids.whirlpool))
    if request.pool_kind == "ammv4":
        found = decode_ammv4_state(account, program=ids.ammv4)
        return PoolRef(
            account.address, "ammv4", found.mint_a, found.mint_b, found.vault_a, found.vault_b
        )
    state = decode_cpmm_state(account, program=ids.cpmm)
    return PoolRef(
        account.address, "cpmm", state.mint_a, state.mint_b, state.vault_a, state.vault_b,
        amm_config=state.amm_config, observation=state.observation,
    )  # fmt: skip


def _from_keys(kind: PoolKind, keys: PoolKeys, ids: ProgramIds) -> PoolRef:
    if kind == "whirlpool" and not keys.tick_spacing:
        raise SetupError("pool.tick_spacing is needed when the pool's data is not given.")
    if kind == "cpmm" and not keys.amm_config:
        raise SetupError("pool.amm_config is needed when the pool's data is not given.")
    return PoolRef(
        keys.address, kind, keys.mint_a, keys.mint_b, keys.vault_a, keys.vault_b,
        tick_spacing=keys.tick_spacing, amm_config=keys.amm_config,
        observation=keys.observation or (
            observation_address(keys.address, ids) if kind == "cpmm" else ""
        ),
    )  # fmt: skip


def _base_is_a(mints: Mints, ref: PoolRef) -> bool:
    if (mints.base, mints.quote) == (ref.mint_a, ref.mint_b):
        return True
    if (mints.base, mints.quote) == (ref.mint_b, ref.mint_a):
        return False
    raise SetupError(f"the mints of this pool are {ref.mint_a} and {ref.mint_b}.")


def _array_start(entry: str | int | dict[str, Any], ref: PoolRef, ids: ProgramIds) -> int:
    """Find the start index of a tick array that was named in one of three ways."""
    if isinstance(entry, int):
        return entry
    if isinstance(entry, str):
        return _start_of_address(entry, ref, ids)
    account = _as(entry, AccountJson, "tick array").raw()
    array = decode_tick_array(
        account, program=ids.whirlpool, whirlpool=ref.address, tick_spacing=ref.tick_spacing
    )
    return array.start_index


def _start_of_address(address: str, ref: PoolRef, ids: ProgramIds) -> int:
    """Derive the pool's arrays from price one outwards until one has this address."""
    span = TICKS_PER_ARRAY * ref.tick_spacing
    for step in range(max(-MIN_TICK, MAX_TICK) // span + 2):
        for start in (step * span, -step * span):
            if tick_array_address(ref.address, start, ids) == address:
                return start
    raise SetupError(f"{address} is not a tick array of pool {ref.address}.")


def _as(document: dict[str, Any], kind: type[T], name: str) -> T:
    try:
        return msgspec.convert(document, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SetupError(f"{name}: {error}.") from error
