"""Tickets for the console socket: 30 seconds, used once, kept in the cache.

A browser cannot set headers on a WebSocket, and a token in the address would reach logs;
so REST hands out a ticket and the socket's first message spends it.
"""

from __future__ import annotations

import re
import secrets
from uuid import UUID

from django.core.cache import cache

LIFETIME_S = 30
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")


def issue_ticket(session_id: UUID) -> str:
    """A new ticket of this session (256 random bits)."""
    ticket = secrets.token_urlsafe(32)
    cache.set(f"ticket:{ticket}", str(session_id), LIFETIME_S)
    return ticket


def spend_ticket(ticket: str) -> UUID | None:
    """The session of an unspent ticket, once; None for anything else."""
    if not _TICKET.fullmatch(ticket):
        return None
    key = f"ticket:{ticket}"
    session_id = cache.get(key)
    # DEL tells how many keys it removed: of two who got the value, one deletes it.
    if session_id is None or not cache.delete(key):
        return None
    return UUID(session_id)
