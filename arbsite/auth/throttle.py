"""Slows password guessing: failed sign-ins counted per address and user, and per address.

Counting per address AND user keeps a stranger from locking an operator out of the kill
switch; the wider count per address stops one machine from trying many names. Successes are
free. Not here: limits of trading, which need exact counters (risk).
"""

from __future__ import annotations

import hashlib

from django.core.cache import cache
from rest_framework.exceptions import Throttled

WINDOW_S = 60
FAILURES_PER_USER = 5
FAILURES_PER_ADDRESS = 30


def refuse_when_guessing(address: str, username: str) -> None:
    """Raise Throttled (429) when this address has failed too often just now."""
    by_user, by_address = _keys(address, username)
    counts = cache.get_many([by_user, by_address])
    if (
        counts.get(by_user, 0) >= FAILURES_PER_USER
        or counts.get(by_address, 0) >= FAILURES_PER_ADDRESS
    ):
        raise Throttled(wait=WINDOW_S)


def count_failure(address: str, username: str) -> None:
    """Remember one failed sign-in for `WINDOW_S` from its first failure."""
    for key in _keys(address, username):
        if cache.add(key, 1, WINDOW_S):
            continue
        try:
            cache.incr(key)
        except ValueError:  # expired between the two calls
            cache.add(key, 1, WINDOW_S)


def _keys(address: str, username: str) -> tuple[str, str]:
    # Hashed: a name typed by a stranger is no fit part of a cache key.
    name = hashlib.sha256(f"{address}\n{username.casefold()}".encode()).hexdigest()
    return f"signin:user:{name}", f"signin:address:{address}"
