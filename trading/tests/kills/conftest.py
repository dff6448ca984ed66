"""The LIVE database of the store's tests."""

from __future__ import annotations

from trading.tests.store.conftest import desk_url

__all__ = ["desk_url"]
