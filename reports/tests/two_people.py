"""The product's ASGI application where, as on a live desk, weighty acts take two people."""

from __future__ import annotations

from django.conf import settings

from arbsite.asgi import application

__all__ = ["application"]

settings.SPREADLINE_APPROVERS = 2
settings.SPREADLINE_RESOLVE_ALONE_USD = "100"
