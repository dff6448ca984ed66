"""Settings of the test run: the product's, on services of the run's own.

Named by pytest's configuration and used by mypy. Where DATABASE_URL or REDIS_URL are set
the tests use those servers; otherwise addresses in a temporary home are reserved here and
`arbsite.testing` starts the servers when the first test needs one.
"""

from __future__ import annotations

import os
import tempfile

if not os.environ.get("SPREADLINE_HOME"):
    os.environ["SPREADLINE_HOME"] = tempfile.mkdtemp(prefix="spreadline-test-")
os.environ.setdefault("SPREADLINE_PROFILE", "sim")

from arbsite.settings import *  # noqa: F403
