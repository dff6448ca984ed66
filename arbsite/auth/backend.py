"""The password check behind every door: API and admin pages count failures together."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from rest_framework.exceptions import Throttled

from arbsite.auth import throttle
from arbsite.models import User


class GuardedBackend(ModelBackend):
    """Django's own check, refusing addresses that guess (`auth.throttle`)."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The user, or None; PermissionDenied (a plain failure to callers) while slowed."""
        if username is None or password is None:
            return None
        address = "" if request is None else str(request.META.get("REMOTE_ADDR", ""))
        try:
            throttle.refuse_when_guessing(address, username)
        except Throttled as error:
            raise PermissionDenied from error
        user = super().authenticate(request, username, password, **kwargs)
        if not isinstance(user, User):
            throttle.count_failure(address, username)
            return None
        return user
