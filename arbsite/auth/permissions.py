"""The permission check of every endpoint: one word per method, nothing by default."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from arbsite.auth.roles import Word


class NeedsWord(BasePermission):
    """Let a signed-in user through whose role has the word the view names for the method.

    A view declares `words = {"GET": "read", ...}`; a method it implements but does not
    declare is refused for everybody.
    """

    message: ClassVar[str] = "Your role does not permit this."
    code = "forbidden"

    def has_permission(self, request: Request, view: Any) -> bool:
        """Ask the database, so that a role taken away is gone at once."""
        if not request.user.is_authenticated:
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # dispatch answers 405
        words: dict[str, Word] = getattr(view, "words", {})
        word = words.get(method)
        return word is not None and bool(request.user.has_perm(f"arbsite.{word}"))
