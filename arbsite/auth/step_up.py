"""The second factor: a one-time code of a device the user has confirmed.

django-otp refuses a code shown twice and slows guessing. Called at sign-in, and again for
acts that start or loosen trading where the profile asks for it.
"""

from __future__ import annotations

from django.conf import settings
from django_otp import match_token, user_has_device

from arbsite.errors import DomainError
from arbsite.models import User


def require_second_factor(user: User, code: str) -> None:
    """Raise DomainError (403) unless the profile needs no code or `code` is right now."""
    if settings.SPREADLINE_REQUIRE_OTP and not is_code_right(user, code):
        raise DomainError(
            "This needs a code of your second factor.", code="second_factor_required", status=403
        )


def may_sign_in(user: User, code: str) -> bool:
    """Whether the sign-in's code is right; users without a device need none."""
    return not user_has_device(user) or is_code_right(user, code)


def is_code_right(user: User, code: str) -> bool:
    """Whether a confirmed device of the user takes `code`; a code works once."""
    return bool(code) and match_token(user, code) is not None
