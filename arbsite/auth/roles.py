"""Roles and the words of permission: the one table of who may do what.

Roles are Django groups, made after every migrate (`ArbsiteConfig`); a user has exactly one.
Every check asks the database (`User.has_perm`), so taking a role away works at once. Not
here: checking a request (`permissions`), making people (`services`).
"""

from __future__ import annotations

from typing import Any, Literal

from django.contrib.auth.models import Group, Permission

from arbsite.models import User

Role = Literal["viewer", "operator", "admin", "security"]
Word = Literal["read", "trade", "admin"]
WORDS: tuple[Word, ...] = ("read", "trade", "admin")

# Permissions of each group, by app label and code name.
ROLES: dict[Role, tuple[str, ...]] = {
    "viewer": ("arbsite.read",),
    "operator": ("arbsite.read", "arbsite.trade"),
    "admin": ("arbsite.read", "arbsite.trade", "arbsite.admin"),
    # People and the audit log, but no trading: whoever grants rights does not use them.
    "security": (
        "arbsite.read",
        "arbsite.view_user",
        "arbsite.add_user",
        "arbsite.change_user",
        "arbsite.view_auditlog",
    ),
}
# Roles that have something to do in the admin pages.
STAFF_ROLES: frozenset[Role] = frozenset({"admin", "security"})


def install_roles(**_signal: Any) -> None:
    """Make the groups carry exactly the permissions of `ROLES`; run after every migrate."""
    for role, names in ROLES.items():
        group, _ = Group.objects.get_or_create(name=role)
        codenames = [name.partition(".")[2] for name in names]
        group.permissions.set(
            Permission.objects.filter(content_type__app_label="arbsite", codename__in=codenames)
        )


def role_of(user: User) -> str:
    """The user's role, or "" for one who has none."""
    names = set(user.groups.values_list("name", flat=True))
    return next((role for role in ROLES if role in names), "")


def words_of(user: User) -> list[Word]:
    """The permission words the user has now, in the order of `WORDS`."""
    return [word for word in WORDS if user.has_perm(f"arbsite.{word}")]
