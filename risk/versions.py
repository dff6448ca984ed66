"""Settings kept as versions: tighter at once, looser after approval, never changed in force.

One `Versions` per kind of settings knows its model and what makes each field tighter. A
change names the version it was made from, so nobody overwrites what they have not seen;
every step is audited in its transaction. Callers: `risk.desk_limits`, `trading.services`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Max

from arbsite import audit
from arbsite.clock import utc_now
from arbsite.errors import DomainError
from arbsite.models import Approval, User

PROPOSAL_LIFETIME = timedelta(hours=24)
R = TypeVar("R", bound=models.Model)
Rank = Callable[[Any], Decimal]


def more(value: Any) -> Decimal:
    """The rank of a field whose greater value is tighter."""
    return Decimal(value)


def less(value: Any) -> Decimal:
    """The rank of a field whose smaller value is tighter."""
    return -Decimal(value)


class Change(msgspec.Struct, frozen=True):
    """One field of a change; values as text."""

    field: str
    before: str
    after: str
    is_looser: bool


class Versions(Generic[R]):
    """The versions of one kind of settings; `of` names what they are settings of.

    `model` has the columns scope, version, status, created_by, reason, created_at and
    in_force_at; `scope` names the first, `name` says it in a sentence. A rank of None has no
    order: either way may raise the risk, so every change of that field waits for approval.
    """

    def __init__(
        self,
        model: type[R],
        ranks: Mapping[str, Rank | None],
        *,
        scope: str,
        noun: str,
        name: Callable[[str], str],
        unknown: Callable[[str], DomainError],
    ) -> None:
        self._rows: Any = model._default_manager
        self._model: Any = model
        self.ranks = ranks
        self.scope = scope
        self._noun = noun
        self.name = name
        self._unknown = unknown

    # ---- reads --------------------------------------------------------------------------

    def in_force(self, of: str) -> R:
        """The version in force; raises DomainError (404) where there is none."""
        current: R | None = self._rows.filter(**{self.scope: of, "status": "in_force"}).first()
        if current is None:
            raise self._unknown(of)
        return current

    def waiting(self, of: str) -> list[R]:
        """The proposals that wait, oldest first."""
        found = self._rows.filter(**{self.scope: of, "status": "proposed"})
        return list(found.order_by("version"))

    def changes_between(self, before: R, after: R) -> list[Change]:
        """The fields that differ, in the order of the ranks."""
        pairs = ((name, getattr(before, name), getattr(after, name)) for name in self.ranks)
        return [
            Change(name, _text(was), _text(is_), self.is_looser(name, was, is_))
            for name, was, is_ in pairs
            if was != is_
        ]

    def is_looser(self, name: str, before: Any, after: Any) -> bool:
        """Whether this change of a field could let more risk through than before."""
        if before == after:
            return False
        rank = self.ranks[name]
        return rank is None or rank(after) <= rank(before)

    def approvers(self, current: R, row: R) -> set[str]:
        """Who approved exactly this change and may still approve."""
        permitted = User.objects.with_perm(
            "arbsite.admin", backend="arbsite.auth.backend.GuardedBackend"
        )
        digest = _digest(self.changes_between(current, row))
        found = Approval.objects.filter(
            subject=self._subject(row), digest=digest, user__in=permitted
        )
        return set(found.values_list("user__username", flat=True))

    # ---- changes ------------------------------------------------------------------------

    @transaction.atomic
    def change(
        self,
        of: str,
        changes: Mapping[str, Any],
        *,
        version: int,
        user: User,
        reason: str,
        must_wait: bool = False,
    ) -> R:
        """Make a new version: in force if every change is tighter, otherwise proposed.

        Raises DomainError: 404 unknown, 409 when `version` is no longer in force, 400 for a
        value outside its range, for no change at all, or without a reason.
        """
        if not reason.strip():
            raise DomainError("Give a reason.", code="reason_required")
        current: Any = self._locked(of)
        if current.version != version:
            raise DomainError(
                f"{self.name(of)} is at version {current.version} by {current.created_by},"
                f" your change was made from {version}; look at it and change it again.",
                code="version_conflict",
                status=409,
            )
        row = self._successor(of, current, changes, user=user, reason=reason)
        made = self.changes_between(current, row)
        if not made:
            raise DomainError("This changes nothing.", code="unchanged")
        if must_wait or any(change.is_looser for change in made):
            row.status = "proposed"
            _check(row)
            row.save(force_insert=True)
            self._record("propose", user.username, row, made, reason)
        else:
            self._put_in_force(current, row)
            self._record("tighten", user.username, row, made, reason)
        found: R = row
        return found

    @transaction.atomic
    def approve(self, of: str, version: int, *, user: User, reason: str = "") -> R:
        """Approve a proposal; the last approval needed puts it in force.

        Raises DomainError: 404 unknown, 409 when it waits no longer or is older than a day,
        403 for the proposer's own approval where more than one is needed.
        """
        current, row = self._proposal(of, version)
        if settings.SPREADLINE_APPROVERS > 1 and row.created_by == user.username:
            raise DomainError(
                "Somebody else must approve what you proposed.", code="own_proposal", status=403
            )
        if utc_now() - row.created_at > PROPOSAL_LIFETIME:
            raise DomainError(
                "This proposal is older than a day; propose it again.", code="expired", status=409
            )
        made = self.changes_between(current, row)
        Approval.objects.get_or_create(
            subject=self._subject(row),
            user=user,
            defaults={"digest": _digest(made), "at": utc_now()},
        )
        self._record("approve", user.username, row, made, reason)
        approvers = self.approvers(current, row)
        if len(approvers) >= settings.SPREADLINE_APPROVERS:
            self._put_in_force(current, row)
            why = f"approved by {sorted(approvers)}"
            self._record("in_force", user.username, row, made, why)
        found: R = row
        return found

    @transaction.atomic
    def reject(self, of: str, version: int, *, user: User, reason: str = "") -> R:
        """Refuse a proposal for good; raises DomainError like `approve`."""
        current, row = self._proposal(of, version)
        row.status = "rejected"
        row.save(update_fields=["status"])
        self._record("reject", user.username, row, self.changes_between(current, row), reason)
        found: R = row
        return found

    # ---- inside -------------------------------------------------------------------------

    def _locked(self, of: str) -> R:
        """The version in force, with every other change of the same settings waiting."""
        # The first version never goes away: its row lock puts all changes in one line. The
        # row in force will not do, because who waits for it finds it superseded.
        mine = self._rows.filter(**{self.scope: of})
        first = mine.select_for_update().order_by("version").first()
        if first is None:
            raise self._unknown(of)
        return self.in_force(of)

    def _proposal(self, of: str, version: int) -> tuple[R, Any]:
        """The version in force and a proposal, under the lock."""
        current = self._locked(of)
        row = self._rows.filter(**{self.scope: of, "version": version}).first()
        name = self.name(of)
        if row is None:
            raise DomainError(
                f"{name} has no version {version}.", code="unknown_version", status=404
            )
        if row.status != "proposed":
            state = row.get_status_display().lower()
            raise DomainError(
                f"Version {version} of {name} does not wait for approval: it is {state}.",
                code="not_waiting",
                status=409,
            )
        return current, row

    def _successor(
        self, of: str, current: Any, changes: Mapping[str, Any], *, user: User, reason: str
    ) -> Any:
        """An unsaved version: the one in force with the changes."""
        unknown = sorted(set(changes) - set(self.ranks))
        if unknown:
            raise DomainError(f"{', '.join(unknown)} cannot be changed.", code="unknown_field")
        mine = self._rows.filter(**{self.scope: of})
        row = self._model(
            **{self.scope: of},
            version=mine.aggregate(top=Max("version"))["top"] + 1,
            created_by=user.username,
            reason=reason[:500],
            created_at=utc_now(),
        )
        for name in self.ranks:
            before = getattr(current, name)
            after = changes.get(name, before)
            setattr(row, name, Decimal(after) if isinstance(before, Decimal) else after)
        return row

    def _put_in_force(self, current: Any, row: Any) -> None:
        """Swap versions. Proposals made from the old one were never shown against this one."""
        current.status = "superseded"
        current.save(update_fields=["status"])
        others = self._rows.filter(**{self.scope: getattr(row, self.scope), "status": "proposed"})
        others.exclude(id=row.id).update(status="superseded")
        row.status, row.in_force_at = "in_force", utc_now()
        _check(row)
        row.save()

    def _record(self, action: str, actor: str, row: Any, made: list[Change], reason: str) -> None:
        audit.record(
            actor=actor,
            action=f"{self._noun}.{action}",
            target=f"{getattr(row, self.scope)} v{row.version}",
            before={change.field: change.before for change in made},
            after={change.field: change.after for change in made},
            reason=reason,
        )

    def _subject(self, row: Any) -> str:
        return f"{self._noun}:{getattr(row, self.scope)}:{row.version}"


def _check(row: Any) -> None:
    """Ranges and constraints of the model, as a DomainError."""
    try:
        row.full_clean()
    except ValidationError as error:
        raise DomainError("; ".join(error.messages), code="invalid") from error


def _digest(made: list[Change]) -> str:
    return hashlib.sha256(msgspec.json.encode(made)).hexdigest()


def _text(value: Any) -> str:
    if not isinstance(value, Decimal):
        return str(value)
    return format(value.normalize() if value else Decimal(0), "f")
