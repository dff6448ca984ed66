"""The only writers of asset configurations: tighter at once, looser after approval.

The database notifies the engine at commit. Callers: `trading.api`, the admin pages, the
haircut's proposals. Not here: how versions change (`risk.versions`), the engine's own
writes (`trading.storage.store`), the first versions (`seed`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from django.conf import settings

from arbsite.clock import ns_from_at
from arbsite.errors import DomainError
from arbsite.events import MODES_BY_STRICTNESS, Mode
from arbsite.models import User
from risk.versions import Change, Rank, Versions, less, more
from trading.models import AssetConfig
from trading.selectors import plain


def _strictness(mode: Mode) -> Decimal:
    return Decimal(MODES_BY_STRICTNESS.index(mode))


# Every field that can be changed, with what makes a value tighter: a greater rank. None: no
# order (either way may raise the risk), so every change of it waits for approval.
TIGHTER: dict[str, Rank | None] = {
    "enabled": less,
    "mode": _strictness,
    "leg_order": None,
    "min_edge_bps": more,
    "min_profit_usd": more,
    "haircut_bps": more,
    "slippage_cap_bps": less,
    "max_notional_usd": less,
    "cex_depth_cap": less,
    "dex_impact_cap_bps": less,
    "daily_notional_cap_usd": less,
    "daily_loss_cap_usd": less,
    "daily_trades_cap": less,
    "max_frame_age_ms": less,
    "max_slot_lag": less,
    "cooldown_ms": more,
    "intents_per_window": less,
    "cu_price_micro_lamports": less,
    "tip_lamports": less,
    "order_deadline_ms": less,
    "max_hedges": None,
    "max_naked_usd": less,
    "max_naked_s": less,
    "inventory_band_pct": less,
}


class ConfigVersion(msgspec.Struct, frozen=True):
    """One version of an asset's configuration; decimals are text."""

    asset: str
    version: int
    status: str
    enabled: bool
    mode: Mode
    leg_order: str
    min_edge_bps: str
    min_profit_usd: str
    haircut_bps: str
    slippage_cap_bps: str
    max_notional_usd: str
    cex_depth_cap: str
    dex_impact_cap_bps: str
    daily_notional_cap_usd: str
    daily_loss_cap_usd: str
    daily_trades_cap: int
    max_frame_age_ms: int
    max_slot_lag: int
    cooldown_ms: int
    intents_per_window: int
    cu_price_micro_lamports: int
    tip_lamports: int
    order_deadline_ms: int
    max_hedges: int
    max_naked_usd: str
    max_naked_s: int
    inventory_band_pct: str
    created_by: str
    reason: str
    created_at_ns: int
    in_force_at_ns: int | None


class Proposal(msgspec.Struct, frozen=True):
    """A version that waits for approval, and what it would change."""

    config: ConfigVersion
    changes: list[Change]
    approved_by: list[str]
    approvals_needed: int


class ConfigPicture(msgspec.Struct, frozen=True):
    """An asset's configuration in force and everything that waits."""

    asset: str
    in_force: ConfigVersion
    proposals: list[Proposal]


def _unknown(asset: str) -> DomainError:
    return DomainError(f"{asset} is not traded here.", code="unknown_asset", status=404)


VERSIONS = Versions(AssetConfig, TIGHTER, scope="asset", noun="config", name=str, unknown=_unknown)


def config_picture(asset: str) -> ConfigPicture:
    """The version in force and the proposals; raises DomainError (404) for an unknown asset."""
    current = VERSIONS.in_force(asset)
    return ConfigPicture(
        asset=asset,
        in_force=_picture(current),
        proposals=[
            Proposal(
                config=_picture(row),
                changes=VERSIONS.changes_between(current, row),
                approved_by=sorted(VERSIONS.approvers(current, row)),
                approvals_needed=settings.SPREADLINE_APPROVERS,
            )
            for row in VERSIONS.waiting(asset)
        ],
    )


def change_config(
    asset: str,
    changes: Mapping[str, Any],
    *,
    version: int,
    user: User,
    reason: str,
    must_wait: bool = False,
) -> AssetConfig:
    """Make a new version: in force if every change is tighter, otherwise proposed.

    `must_wait` proposes it in any case: what a machine suggests, a person approves. Raises
    DomainError: see `Versions.change`.
    """
    if changes.get("mode", "live") not in MODES_BY_STRICTNESS:
        raise DomainError(f"{changes['mode']} is not a mode.", code="invalid")
    return VERSIONS.change(
        asset, changes, version=version, user=user, reason=reason, must_wait=must_wait
    )


def approve_config(asset: str, version: int, *, user: User, reason: str = "") -> AssetConfig:
    """Approve a proposal; raises DomainError: see `Versions.approve`."""
    return VERSIONS.approve(asset, version, user=user, reason=reason)


def reject_config(asset: str, version: int, *, user: User, reason: str = "") -> AssetConfig:
    """Refuse a proposal for good; raises DomainError: see `Versions.reject`."""
    return VERSIONS.reject(asset, version, user=user, reason=reason)


def _picture(row: AssetConfig) -> ConfigVersion:
    values = {name: getattr(row, name) for name in TIGHTER}
    texts = {name: plain(v) for name, v in values.items() if isinstance(v, Decimal)}
    in_force_at = row.in_force_at
    return ConfigVersion(
        asset=row.asset,
        version=row.version,
        status=row.status,
        created_by=row.created_by,
        reason=row.reason,
        created_at_ns=ns_from_at(row.created_at),
        in_force_at_ns=None if in_force_at is None else ns_from_at(in_force_at),
        **{**values, **texts},
    )
