"""Write what was verified, or refused, into the Market rows, with an audit row each.

A refused listing that is new becomes a disabled row with its reason; one that stood is
taken out of trading at once. A row that a person switched off stays off. Called by
`manage.py sync_markets`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec
from django.db import transaction
from django.forms.models import model_to_dict

from arbsite import audit
from arbsite.clock import utc_now
from feeds.listing.file import Listing
from feeds.listing.verify import Refused, Verified
from feeds.models import Market

Change = Literal["new", "changed", "same", "refused"]
# What a check notes each time; a difference in these alone is no change of the market.
_NOTED = ("verified_at", "verified_slot", "source")


class Outcome(msgspec.Struct, frozen=True):
    """What became of one listing: the change, and a sentence about it."""

    asset: str
    change: Change
    note: str


def compare(verdict: Verified | Refused) -> Outcome:
    """Say what `store` would do, without doing it."""
    asset = verdict.listing.asset
    row = Market.objects.filter(asset=asset).first()
    if isinstance(verdict, Refused):
        return Outcome(asset, "refused", verdict.reason)
    if row is None:
        return Outcome(asset, "new", _seen(verdict))
    differing = _differences(row, _columns(verdict))
    if differing:
        return Outcome(asset, "changed", ", ".join(differing))
    return Outcome(asset, "same", _seen(verdict))


@transaction.atomic
def store(verdict: Verified | Refused, *, actor: str) -> Outcome:
    """Put a verdict in force; returns what it changed."""
    outcome = compare(verdict)
    asset = verdict.listing.asset
    row = Market.objects.select_for_update().filter(asset=asset).first()
    before = _plain(row)
    if isinstance(verdict, Verified):
        columns = _columns(verdict)
        if row is None:
            row = Market(asset=asset, is_enabled=True)
        for name, value in columns.items():
            setattr(row, name, value)
    elif row is None:
        row = _disabled(verdict)
    else:
        row.is_verified, row.refusal = False, verdict.reason[:300]
    row.save()
    if outcome.change != "same" and before != _plain(row):
        audit.record(
            actor=actor, action="market.synced", target=asset, before=before, after=_plain(row),
            reason=outcome.note[:300],
        )  # fmt: skip
    return outcome


def _columns(verdict: Verified) -> dict[str, Any]:
    listing, pair, ref = verdict.listing, verdict.pair, verdict.ref
    return {
        **_claimed(listing),
        "price_precision": pair.price_precision,
        "qty_precision": pair.qty_precision,
        "price_increment_ticks": verdict.price_increment_ticks,
        "qty_increment_lots": verdict.qty_increment_lots,
        "qty_min_lots": verdict.qty_min_lots,
        "cost_min": Decimal(pair.cost_min),
        "base_is_a": verdict.base_is_a,
        "base_decimals": verdict.base_decimals,
        "quote_decimals": verdict.quote_decimals,
        "vault_a": ref.vault_a,
        "vault_b": ref.vault_b,
        "tick_spacing": ref.tick_spacing or None,
        "amm_config": ref.amm_config,
        "observation": ref.observation,
        "is_verified": True,
        "refusal": "",
        "verified_at": utc_now(),
        "verified_slot": verdict.slot,
    }


def _claimed(listing: Listing) -> dict[str, Any]:
    return {
        "cex_symbol": listing.cex_symbol,
        "cex_quote": listing.cex_quote,
        "pool": listing.pool,
        "pool_kind": listing.pool_kind,
        "pool_quote": listing.pool_quote,
        "base_mint": listing.base_mint,
        "quote_mint": listing.quote_mint,
        "source": listing.source[:64],
    }


def _disabled(verdict: Refused) -> Market:
    """A row that only remembers the claim and why it was refused; its units mean nothing."""
    return Market(
        asset=verdict.listing.asset,
        **_claimed(verdict.listing),
        price_precision=0, qty_precision=0, qty_min_lots=1, cost_min=Decimal(0),
        base_is_a=True, base_decimals=0, quote_decimals=0,
        is_enabled=False, is_verified=False, refusal=verdict.reason[:300],
    )  # fmt: skip


def _differences(row: Market, columns: dict[str, Any]) -> list[str]:
    return [
        f"{name} {getattr(row, name)} -> {value}"
        for name, value in columns.items()
        if name not in _NOTED and getattr(row, name) != value
    ]


def _plain(row: Market | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {name: value for name, value in model_to_dict(row).items() if name not in _NOTED}


def _seen(verdict: Verified) -> str:
    return f"confirmed at slot {verdict.slot} by {', '.join(verdict.witnesses)}"
