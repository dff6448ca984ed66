"""What a session is worth at this moment: asked at every request, and every second of a socket.

Reads only; sessions are opened, renewed and ended by `auth.services`. Callers:
`auth.tokens` (each request), the console socket and `arbsite.session_watch`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from arbsite.clock import utc_now
from arbsite.models import Session, User

Standing = Literal["live", "ended", "forbidden"]


def live_session(session_id: UUID) -> Session | None:
    """The session with its user when it still counts: the check of every request."""
    session = Session.objects.select_related("user").filter(id=session_id).first()
    return session if session is not None and is_live(session, utc_now()) else None


def standing(session_ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """What each session is worth now, in two queries: live, ended, or no longer permitted."""
    now = utc_now()
    found: dict[UUID, Standing] = dict.fromkeys(session_ids, "ended")
    live = {
        session.id: session.user_id
        for session in Session.objects.select_related("user").filter(id__in=session_ids)
        if is_live(session, now)
    }
    readers = set(
        User.objects.with_perm("arbsite.read", backend="arbsite.auth.backend.GuardedBackend")
        .filter(id__in=live.values())
        .values_list("id", flat=True)
    )
    for session_id, user_id in live.items():
        found[session_id] = "live" if user_id in readers else "forbidden"
    return found


def is_live(session: Session, now: datetime) -> bool:
    """Not ended, not expired, user active, and the password still the one of the sign-in."""
    return (
        session.ended_at is None
        and now < session.expires_at
        and session.user.is_active
        and session.password_mark == password_mark(session.user)
    )


def password_mark(user: User) -> str:
    """Changes whenever the stored password changes; reveals nothing about it."""
    return hashlib.sha256(user.password.encode()).hexdigest()
