"""A real Chromium for tests of the console: started the same way by each of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from arbsite.home import REPOSITORY

WIDE: Final[ViewportSize] = {"width": 1600, "height": 1000}
_OPTIONS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_TIMEOUT_MS: Final = 20_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium; without one, or without a built console, the test fails."""
    program = os.environ.get("SPREADLINE_CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.fail("no Chromium; run `make chromium`, or set SPREADLINE_CHROMIUM", pytrace=False)
    if not (REPOSITORY / "frontend" / "dist" / "index.html").is_file():
        pytest.fail("the console is not built; run `make console` first", pytrace=False)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


def signed_in_page(
    browser: Browser, url: str, username: str, password: str, script: str = ""
) -> Page:
    """A page of a person's own, signed in, on Overview; `script` runs before every page."""
    page = browser.new_context(viewport=WIDE).new_page()
    page.set_default_timeout(_TIMEOUT_MS)
    if script:
        page.add_init_script(script)
    page.goto(url)
    page.get_by_test_id("login-user").fill(username)
    page.get_by_test_id("login-password").fill(password)
    page.get_by_test_id("login-submit").click()
    page.get_by_test_id("overview-screen").wait_for()
    return page
