"""What people order from a terminal: the same rows as over HTTP, waited for here.

Needs only PostgreSQL; the engine answers. Callers: `manage.py resolve` and `flatten`.
"""

from __future__ import annotations

import getpass
import time
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError

from arbsite.auth.step_up import require_second_factor
from arbsite.clock import SystemClock, utc_now, uuid7
from arbsite.errors import DomainError
from arbsite.models import User
from trading import resolutions
from trading.models import EngineLease, Resolution, Trade
from trading.resolutions import OPEN_STATES, Wanted

LOOK_EVERY_S = 0.2
SILENT_AFTER_S = 5.0


def person(username: str) -> User:
    """The user who orders; raises CommandError for one who may not."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"{username} is not a user here; name yours with --user.")
    if not user.has_perm("arbsite.trade"):
        raise CommandError(f"{username} may not trade; an operator or admin must order this.")
    return user


def trade_of(text: str) -> Trade:
    """The trade an id or the beginning of one names; raises CommandError unless one fits."""
    found = [row for row in Trade.objects.exclude(state="closed") if str(row.id).startswith(text)]
    if len(found) != 1:
        parked = ", ".join(str(row.id) for row in Trade.objects.filter(state="operator"))
        raise CommandError(
            f"{len(found)} open trades begin with {text!r}; parked are: {parked or 'none'}."
        )
    return found[0]


def order(trade_id: UUID, wanted: Wanted, *, user: User, reason: str, wait_s: float) -> Resolution:
    """Order an act and wait for the engine's answer; raises CommandError when it refuses."""
    try:
        if wanted.act != "preview" and settings.SPREADLINE_REQUIRE_OTP:
            require_second_factor(user, getpass.getpass("Code of your second factor: "))
        row = resolutions.request(trade_id, wanted, user=user, key=str(uuid7()), reason=reason)
    except DomainError as error:
        raise CommandError(str(error)) from error
    clock = SystemClock()
    deadline = clock.monotonic_ns() + int(wait_s * 1e9)
    while row.state in OPEN_STATES and row.state != "waiting" and clock.monotonic_ns() < deadline:
        time.sleep(LOOK_EVERY_S)
        row.refresh_from_db()
    if row.state in ("refused", "expired"):
        raise CommandError(f"Refused: {row.answer or row.get_state_display()}.")
    if row.state in ("requested", "taken"):
        raise CommandError(f"No answer within {wait_s:.0f} s: {engine_word()} Look at its log.")
    return row


def engine_word() -> str:
    """Whether an engine holds a lease and is alive, in one sentence."""
    lease = EngineLease.objects.order_by("-heartbeat_at").first()
    if lease is None:
        return "no engine ever ran here; start one with `manage.py up`."
    silent_s = (utc_now() - lease.heartbeat_at).total_seconds()
    if silent_s > SILENT_AFTER_S:
        return f"the engine {lease.holder} has been silent for {silent_s:.0f} s; restart it."
    return f"the engine {lease.holder} is alive (epoch {lease.epoch})."
