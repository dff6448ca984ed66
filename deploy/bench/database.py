"""A private PostgreSQL with its durable settings, for the benches that write intents.

Imported by the benches; not a command. The server and its files are gone afterwards.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbsite.settings_test")
for name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(name, None)

import django  # noqa: E402


@contextmanager
def own_database(*assets: str) -> Iterator[str]:
    """Yield the URL of a migrated database in which `assets` may trade LIVE without caps."""
    django.setup()
    from django.core.management import call_command

    from arbsite.embedded import Postgres, prepare_home
    from arbsite.home import current_home
    from arbsite.readiness import ensure_database, postgres_answers
    from arbsite.testing import RunningService
    from arbsite.wal_ahead import lay_out
    from trading.tests.intents import open_desk

    home, url = current_home(), os.environ["DATABASE_URL"]
    prepare_home(home)
    postgres = Postgres(home)
    server = RunningService(postgres.prepare(), home.logs / "postgres.log")
    try:
        server.wait_ready(lambda: postgres_answers(url))
        ensure_database(url)
        call_command("migrate", verbosity=0)
        open_desk(*assets, daily_notional_cap_usd=10**9, daily_trades_cap=10**6)
        lay_out(url)
        yield url
    finally:
        server.stop()
        for path in {home.path, postgres.root}:
            shutil.rmtree(path, ignore_errors=True)
