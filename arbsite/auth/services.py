"""The only writers of people and their sessions; each act is audited in its transaction.

A session is one sign-in. Its refresh token is replaced at every use, and showing an old one
again means a copy exists, so the whole session ends. Callers: `auth.api`, the admin pages,
`manage.py create_operator` and `seed`. Not here: what a session is worth (`auth.sessions`),
cookies, HTTP, throttling.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from rest_framework_simplejwt.exceptions import TokenError

from arbsite import audit
from arbsite.auth.roles import ROLES, STAFF_ROLES, Role, role_of
from arbsite.auth.sessions import is_live, password_mark
from arbsite.auth.tokens import RefreshToken
from arbsite.clock import utc_now, uuid7
from arbsite.errors import DomainError
from arbsite.models import Session, User

IDLE_LIMIT = timedelta(hours=1)
ABSOLUTE_LIMIT = timedelta(hours=12)


@transaction.atomic
def create_user(username: str, password: str, role: Role, *, actor: str = "system") -> User:
    """Make a person or machine with one role; raises DomainError naming what is wrong."""
    if role not in ROLES:
        raise DomainError(f"{role} is not a role; use one of {', '.join(ROLES)}.")
    user = User(username=username, is_staff=role in STAFF_ROLES)
    try:
        user.clean_fields(exclude=["password"])
        user.validate_unique()
        validate_password(password, user)
    except ValidationError as error:
        raise DomainError(" ".join(error.messages), code="invalid_user") from error
    user.set_password(password)
    user.save()
    user.groups.set([Group.objects.get(name=role)])
    audit.record(
        actor=actor, action="user.create", target=username, before=None, after={"role": role}
    )
    return user


@transaction.atomic
def change_user(user: User, *, role: Role, is_active: bool, password: str = "", actor: str) -> None:
    """Set a person's role and whether they may sign in, and a new password if one is given.

    In force on the person's next request and within a second on open sockets. Raises
    DomainError for a weak password.
    """
    before = {"role": role_of(user), "is_active": User.objects.get(pk=user.pk).is_active}
    if password:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise DomainError(" ".join(error.messages), code="invalid_user") from error
        user.set_password(password)
    user.groups.set([Group.objects.get(name=role)])
    user.is_staff, user.is_active = role in STAFF_ROLES, is_active
    user.save()
    audit.record(
        actor=actor,
        action="user.change",
        target=user.username,
        before=before,
        after={"role": role, "is_active": is_active, "has_new_password": bool(password)},
    )


@transaction.atomic
def sign_in(user: User) -> tuple[Session, RefreshToken]:
    """Open a session for a user whose password was just proved."""
    now = utc_now()
    token = RefreshToken.for_user(user)
    session = Session.objects.create(
        id=uuid7(),
        user=user,
        jti=token["jti"],
        password_mark=password_mark(user),
        created_at=now,
        refreshed_at=now,
        expires_at=now + IDLE_LIMIT,
    )
    audit.record(
        actor=user.username,
        action="session.open",
        target=str(session.id),
        before=None,
        after={"role": role_of(user)},
    )
    return session, _sealed(token, session)


def renew(raw_token: str) -> tuple[Session, RefreshToken] | None:
    """Exchange a refresh token for the next one; None when it is worth nothing.

    Of any number of callers with the same token exactly one gets the next one. The others,
    and anybody who shows it later, end the session for all of them.
    """
    try:
        old = RefreshToken(raw_token)  # type: ignore[arg-type]
        session_id = UUID(str(old.get("sid")))
    except (TokenError, ValueError):
        return None
    with transaction.atomic():
        session = (
            Session.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(id=session_id)
            .first()
        )
        now = utc_now()
        if session is None or not is_live(session, now):
            return None
        if session.jti != old["jti"]:
            # Returned, not raised: the end of the session must be committed.
            _end(session, "reuse of a spent token")
            return None
        token = RefreshToken.for_user(session.user)
        session.jti = token["jti"]
        session.refreshed_at = now
        session.expires_at = min(now + IDLE_LIMIT, session.created_at + ABSOLUTE_LIMIT)
        session.save(update_fields=["jti", "refreshed_at", "expires_at"])
        return session, _sealed(token, session)


@transaction.atomic
def sign_out(session_id: UUID) -> None:
    """End one session; ending an ended one changes nothing."""
    session = Session.objects.select_for_update().filter(id=session_id, ended_at=None).first()
    if session is not None:
        _end(session, "signed out")


def _sealed(token: RefreshToken, session: Session) -> RefreshToken:
    token["sid"] = str(session.id)
    token.set_exp(lifetime=session.expires_at - session.refreshed_at)
    return token


def _end(session: Session, reason: str) -> None:
    session.ended_at, session.end_reason = utc_now(), reason
    session.save(update_fields=["ended_at", "end_reason"])
    audit.record(
        actor=session.user.username,
        action="session.end",
        target=str(session.id),
        before=None,
        after=None,
        reason=reason,
    )
