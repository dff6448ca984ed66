"""The only writers of asset configurations: tighter at once, looser after approval.

A change names the version it was made from, so nobody overwrites what they have not seen.
Rows never change once in force: every change is a new version, audited in its transaction;
the database notifies the engine at commit. Callers: `trading.api` and the admin pages. Not
here: the engine's own writes (`trading.store`), the first versions (`seed`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from arbsite import audit
from arbsite.clock import ns_from_at, utc_now
from arbsite.errors import DomainError
from arbsite.events import MODES_BY_STRICTNESS, Mode
from arbsite.models import Approval, User
from trading.models import AssetConfig
from trading.selectors import plain

PROPOSAL_LIFETIME = timedelta(hours=24)
Rank = Callable[[Any], Decimal]


def _more(value: Any) -> Decimal:
    return Decimal(value)


def _less(value: Any) -> Decimal:
    return -Decimal(value)


def _strictness(mode: Mode) -> Decimal:
    return Decimal(MODES_BY_STRICTNESS.index(mode))


# Every field that can be changed, with what makes a value tighter: a greater rank. None: no
# order (either way may raise the risk), so every change of it waits for approval.
TIGHTER: dict[str, Rank | None] = {
    "enabled": _less,
    "mode": _strictness,
    "leg_order": None,
    "min_edge_bps": _more,
    "min_profit_usd": _more,
    "haircut_bps": _more,
    "slippage_cap_bps": _less,
    "max_notional_usd": _less,
    "cex_depth_cap": _less,
    "dex_impact_cap_bps": _less,
    "daily_notional_cap_usd": _less,
    "daily_loss_cap_usd": _less,
    "daily_trades_cap": _less,
    "max_frame_age_ms": _less,
    "max_slot_lag": _less,
    "cooldown_ms": _more,
    "intents_per_window": _less,
    "cu_price_micro_lamports": _less,
    "tip_lamports": _less,
    "order_deadline_ms": _less,
    "max_hedges": None,
    "max_naked_usd": _less,
    "max_naked_s": _less,
    "inventory_band_pct": _less,
}


class Change(msgspec.Struct, frozen=True):
    """One field of a change; values as text."""

    field: str
    before: str
    after: str
    is_looser: bool


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


# ---- reads --------------------------------------------------------------------------


def config_picture(asset: str) -> ConfigPicture:
    """The version in force and the proposals; raises DomainError (404) for an unknown asset."""
    current = AssetConfig.objects.filter(asset=asset, status="in_force").first()
    if current is None:
        raise _unknown(asset)
    waiting = AssetConfig.objects.filter(asset=asset, status="proposed").order_by("version")
    return ConfigPicture(
        asset=asset,
        in_force=_picture(current),
        proposals=[
            Proposal(
                config=_picture(row),
                changes=changes_between(current, row),
                approved_by=sorted(_approvers(current, row)),
                approvals_needed=settings.SPREADLINE_APPROVERS,
            )
            for row in waiting
        ],
    )


def changes_between(before: AssetConfig, after: AssetConfig) -> list[Change]:
    """The fields that differ, in the order of `TIGHTER`."""
    return [
        Change(
            field=name,
            before=_text(getattr(before, name)),
            after=_text(getattr(after, name)),
            is_looser=is_looser(name, getattr(before, name), getattr(after, name)),
        )
        for name in TIGHTER
        if getattr(before, name) != getattr(after, name)
    ]


def is_looser(name: str, before: Any, after: Any) -> bool:
    """Whether this change of a field could let more risk through than before."""
    if before == after:
        return False
    rank = TIGHTER[name]
    return rank is None or rank(after) <= rank(before)


# ---- changes ------------------------------------------------------------------------


@transaction.atomic
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

    `must_wait` proposes it in any case: what a machine suggests, a person approves.

    Raises DomainError: 404 unknown asset, 409 when `version` is no longer in force, 400 for
    a value outside its range, for no change at all, or without a reason.
    """
    if not reason.strip():
        raise DomainError("Give a reason.", code="reason_required")
    current = _locked(asset)
    if current.version != version:
        raise DomainError(
            f"{asset} is at version {current.version} by {current.created_by},"
            f" your change was made from {version}; look at it and change it again.",
            code="version_conflict",
            status=409,
        )
    row = _successor(current, changes, user=user, reason=reason)
    made = changes_between(current, row)
    if not made:
        raise DomainError("This changes nothing.", code="unchanged")
    if must_wait or any(change.is_looser for change in made):
        row.status = AssetConfig.Status.PROPOSED
        _check(row)
        row.save(force_insert=True)
        _record("config.propose", user.username, row, made, reason)
    else:
        _put_in_force(current, row)
        _record("config.tighten", user.username, row, made, reason)
    return row


@transaction.atomic
def approve_config(asset: str, version: int, *, user: User, reason: str = "") -> AssetConfig:
    """Approve a proposal; the last approval needed puts it in force.

    Raises DomainError: 404 unknown, 409 when it waits no longer or is older than a day, 403
    for the proposer's own approval where more than one is needed.
    """
    current, row = _waiting(asset, version)
    if settings.SPREADLINE_APPROVERS > 1 and row.created_by == user.username:
        raise DomainError(
            "Somebody else must approve what you proposed.", code="own_proposal", status=403
        )
    if utc_now() - row.created_at > PROPOSAL_LIFETIME:
        raise DomainError(
            "This proposal is older than a day; propose it again.", code="expired", status=409
        )
    made = changes_between(current, row)
    Approval.objects.get_or_create(
        subject=_subject(row), user=user, defaults={"digest": _digest(made), "at": utc_now()}
    )
    _record("config.approve", user.username, row, made, reason)
    approvers = _approvers(current, row)
    if len(approvers) >= settings.SPREADLINE_APPROVERS:
        _put_in_force(current, row)
        _record("config.in_force", user.username, row, made, f"approved by {sorted(approvers)}")
    return row


@transaction.atomic
def reject_config(asset: str, version: int, *, user: User, reason: str = "") -> AssetConfig:
    """Refuse a proposal for good; raises DomainError like `approve_config`."""
    current, row = _waiting(asset, version)
    row.status = AssetConfig.Status.REJECTED
    row.save(update_fields=["status"])
    _record("config.reject", user.username, row, changes_between(current, row), reason)
    return row


def _locked(asset: str) -> AssetConfig:
    """The version in force, with every other change of the asset waiting."""
    # An asset's first version never goes away: its row lock puts the changes of the asset in
    # one line. The row in force will not do, because who waits for it finds it superseded.
    first = AssetConfig.objects.select_for_update().filter(asset=asset).order_by("version").first()
    current = AssetConfig.objects.filter(asset=asset, status="in_force").first()
    if first is None or current is None:
        raise _unknown(asset)
    return current


def _waiting(asset: str, version: int) -> tuple[AssetConfig, AssetConfig]:
    """The version in force and a proposal, under the asset's lock."""
    current = _locked(asset)
    row = AssetConfig.objects.filter(asset=asset, version=version).first()
    if row is None:
        raise DomainError(f"{asset} has no version {version}.", code="unknown_version", status=404)
    if row.status != AssetConfig.Status.PROPOSED:
        raise DomainError(
            f"Version {version} of {asset} does not wait for approval: it is"
            f" {row.get_status_display().lower()}.",
            code="not_waiting",
            status=409,
        )
    return current, row


def _successor(
    current: AssetConfig, changes: Mapping[str, Any], *, user: User, reason: str
) -> AssetConfig:
    """An unsaved version: the one in force with the changes."""
    highest = AssetConfig.objects.filter(asset=current.asset).aggregate(top=Max("version"))["top"]
    row = AssetConfig(
        asset=current.asset,
        version=highest + 1,
        created_by=user.username,
        reason=reason[:500],
        created_at=utc_now(),
    )
    for name in TIGHTER:
        before = getattr(current, name)
        after = changes.get(name, before)
        setattr(row, name, Decimal(after) if isinstance(before, Decimal) else after)
    unknown = sorted(set(changes) - set(TIGHTER))
    if unknown:
        raise DomainError(f"{', '.join(unknown)} cannot be changed.", code="unknown_field")
    if row.mode not in MODES_BY_STRICTNESS:
        raise DomainError(f"{row.mode} is not a mode.", code="invalid")
    return row


def _put_in_force(current: AssetConfig, row: AssetConfig) -> None:
    """Swap versions. Proposals made from the old one were never shown against this one."""
    current.status = AssetConfig.Status.SUPERSEDED
    current.save(update_fields=["status"])
    AssetConfig.objects.filter(asset=row.asset, status="proposed").exclude(id=row.id).update(
        status=AssetConfig.Status.SUPERSEDED
    )
    row.status, row.in_force_at = AssetConfig.Status.IN_FORCE, utc_now()
    _check(row)
    row.save()


def _check(row: AssetConfig) -> None:
    """Ranges and constraints of the model, as a DomainError."""
    try:
        row.full_clean()
    except ValidationError as error:
        raise DomainError("; ".join(error.messages), code="invalid") from error


def _record(action: str, actor: str, row: AssetConfig, made: list[Change], reason: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        target=f"{row.asset} v{row.version}",
        before={change.field: change.before for change in made},
        after={change.field: change.after for change in made},
        reason=reason,
    )


def _approvers(current: AssetConfig, row: AssetConfig) -> set[str]:
    """Who approved exactly this change and may still approve."""
    permitted = User.objects.with_perm(
        "arbsite.admin", backend="arbsite.auth.backend.GuardedBackend"
    )
    found = Approval.objects.filter(
        subject=_subject(row), digest=_digest(changes_between(current, row)), user__in=permitted
    )
    return set(found.values_list("user__username", flat=True))


def _subject(row: AssetConfig) -> str:
    return f"config:{row.asset}:{row.version}"


def _digest(made: list[Change]) -> str:
    return hashlib.sha256(msgspec.json.encode(made)).hexdigest()


def _unknown(asset: str) -> DomainError:
    return DomainError(f"{asset} is not traded here.", code="unknown_asset", status=404)


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


def _text(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
