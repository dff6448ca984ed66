"""The console in a real Chromium against the real desk: what an operator sees and does.

State words are watched from inside the page, so that their times are the page's own. One
sign-in serves all tests; they run in this order because each hands the desk back live.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from reports.tests.browser import WIDE, chromium, signed_in_page
from reports.tests.system.desk import Desk

pytestmark = [pytest.mark.timeout(300), pytest.mark.browser]

ASSETS = ("SOL", "JUP", "WIF")
CONFIRM_LIMIT_MS = 1_000
SCREEN_ID = {
    "overview": "overview-screen",
    "opportunities": "opps-screen",
    "trades": "trades-screen",
    "reports": "reports-screen",
    "assets": "assets-screen",
    "health": "health-screen",
}

# Notes every state word as it is painted, and every click, with the page's own time.
WATCH = """
window.seen = [];
window.clicked = [];
const note = () => {
  const word = document.querySelector('[data-testid="engine-state"]')?.dataset.state ?? null;
  if (window.seen.at(-1)?.[0] !== word) window.seen.push([word, performance.now()]);
  requestAnimationFrame(note);
};
requestAnimationFrame(note);
addEventListener("click", (event) => {
  const id = event.target.closest("[data-testid]")?.dataset.testid ?? null;
  window.clicked.push([id, performance.now()]);
}, true);
"""


@pytest.fixture(scope="module")
def page(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A signed-in console on Overview; a picture of its end is kept with the run."""
    pictures = tmp_path_factory.mktemp("pictures")
    with chromium() as browser:
        page = signed_in_page(browser, desk.url, desk.username, desk.password, WATCH)
        try:
            yield page
        finally:
            page.screenshot(path=pictures / "end.png")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where a test's pictures go."""
    return tmp_path


def _state(page: Page) -> Locator:
    return page.get_by_test_id("engine-state")


def _expect_state(page: Page, word: str, timeout_s: float = 10) -> None:
    expect(_state(page)).to_have_attribute("data-state", word, timeout=timeout_s * 1000)


def _attribute(page: Page, test_id: str, name: str = "data-value") -> str:
    return page.get_by_test_id(test_id).get_attribute(name) or ""


def _resume(page: Page) -> None:
    page.get_by_test_id("resume-button").click()
    page.get_by_test_id("resume-reason").fill("browser test")
    page.get_by_test_id("resume-confirm").click()
    _expect_state(page, "live")


def _until(page: Page, expression: str, arg: object = None, timeout_s: float = 10) -> Any:
    """The first answer that is neither null nor false, asked for from outside the page.

    `wait_for_function` asks inside, by eval, which the console's policy forbids.
    """
    deadline = time.monotonic() + timeout_s
    while (found := page.evaluate(expression, arg)) in (None, False):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {expression}"
        page.wait_for_timeout(20)
    return found


def _took_ms(page: Page, button: str, word: str) -> float:
    """From the last click on `button` to the next paint of `word`, which is waited for."""
    took = _until(
        page,
        """([button, word]) => {
            const start = window.clicked.findLast(([id]) => id === button)[1];
            const painted = window.seen.find(([seen, at]) => seen === word && at > start);
            return painted && painted[1] - start;
        }""",
        [button, word],
    )
    return float(took)


def test_spreads_move_and_trades_appear(page: Page, desk: Desk, pictures: Path) -> None:
    _expect_state(page, "live", 30)
    for asset in ASSETS:
        page.get_by_test_id(f"spread-row-{asset}").wait_for()
        shown = page.get_by_test_id(f"spread-row-{asset}").inner_text()
        expect(page.get_by_test_id(f"spread-row-{asset}")).not_to_have_text(shown, timeout=15_000)
    trades = page.get_by_test_id("kpi-trades")
    before = _attribute(page, "kpi-trades")
    expect(trades).not_to_have_attribute("data-value", before, timeout=120_000)
    assert int(_attribute(page, "kpi-trades")) > int(before)
    rows = page.get_by_test_id("recent-executions").get_by_test_id(re.compile("^execution-"))
    expect(rows.first).to_be_visible()
    newest = (rows.first.get_attribute("data-testid") or "").removeprefix("execution-")
    assert desk.value("select count(*) from trading_trade where id = %s", newest) == 1
    assert page.get_by_test_id("venue-pill-kraken").is_visible()
    page.screenshot(path=pictures / "overview.png")


def test_a_trade_is_shown_whole(page: Page, desk: Desk, pictures: Path) -> None:
    """From a row to its prediction, its legs and the promise of its pool leg."""
    closed = "from trading_trade where state = 'closed' and outcome = 'both'"
    desk.wait("a booked trade", lambda: bool(desk.value(f"select count(*) {closed}")), 60)
    trade = str(desk.value(f"select id {closed} order by detect_ns desc limit 1"))
    page.get_by_test_id("nav-trades").click()
    page.get_by_test_id(f"trade-row-{trade}").click()
    sheet = page.get_by_test_id("trade-sheet")
    expect(sheet.get_by_test_id("trade-pnl")).to_contain_text("Odds of not succeeding")
    expect(sheet.get_by_test_id("trade-error")).to_contain_text("Realised")
    expect(sheet.get_by_test_id("trade-order")).to_contain_text("chosen")
    expect(sheet.get_by_test_id("trade-quote")).to_contain_text("The pool itself")
    legs = "select count(*) from trading_attempt where trade_id = %s"
    shown = sheet.get_by_test_id(re.compile("^trade-leg-"))
    assert shown.count() == desk.value(legs, trade)
    page.screenshot(path=pictures / "trade.png")
    # The slide-over is not modal: stopping stays in reach.
    assert page.get_by_test_id("kill-button").is_enabled()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def test_the_promises_are_read_from_the_desk(page: Page, pictures: Path) -> None:
    page.get_by_test_id("nav-reports").click()
    level = page.get_by_test_id("level-row-detect → both fills p50")
    expect(level).to_contain_text("≤ 700 ms")
    page.get_by_test_id("reports-tab-prediction").click()
    expect(page.get_by_test_id("prediction-row-*")).to_be_visible()
    page.screenshot(path=pictures / "prediction.png")
    page.get_by_test_id("reports-tab-feasibility").click()
    expect(page.get_by_test_id("reports-screen")).to_contain_text("No reports yet")
    page.get_by_test_id("nav-overview").click()
    expect(page.get_by_test_id("dropped-frames")).to_have_count(0)


def test_an_asset_goes_on_paper_and_back_while_the_others_trade(
    page: Page, desk: Desk, pictures: Path
) -> None:
    _expect_state(page, "live", 30)
    page.get_by_test_id("nav-assets").click()
    row = page.get_by_test_id("asset-row-SOL")
    page.get_by_test_id("asset-mode-SOL-paper").click()
    expect(row).to_have_attribute("data-state", "paper")
    expect(page.get_by_test_id("asset-row-JUP")).to_have_attribute("data-state", "live")
    # Nothing goes from a model to money in one step.
    expect(page.get_by_test_id("asset-mode-SOL-live")).to_be_disabled()
    page.screenshot(path=pictures / "paper.png")
    made = "from trading_papertrade where state = 'closed' and asset = 'SOL'"
    desk.wait("a paper trade", lambda: bool(desk.value(f"select count(*) {made}")), 60)
    trade = str(desk.value(f"select id {made} order by detect_ns desc limit 1"))
    page.get_by_test_id("nav-trades").click()
    page.get_by_test_id("trades-filter-book-paper").click()
    page.get_by_test_id(f"trade-row-{trade}").click()
    sheet = page.get_by_test_id("trade-sheet")
    expect(sheet.get_by_test_id("trade-paper")).to_contain_text("Nothing was sent")
    expect(sheet.get_by_test_id("trade-pnl")).to_contain_text("Odds of not succeeding")
    page.screenshot(path=pictures / "paper-trade.png")
    page.keyboard.press("Escape")
    page.get_by_test_id("nav-assets").click()
    page.get_by_test_id("asset-mode-SOL-observe").click()
    expect(row).to_have_attribute("data-state", "observe")
    page.get_by_test_id("asset-mode-SOL-live").click()
    page.get_by_test_id("live-reason").fill("browser test")
    page.get_by_test_id("live-phrase").fill("GO LIVE")
    page.get_by_test_id("live-confirm").click()
    expect(row).to_have_attribute("data-state", "live")
    page.get_by_test_id("nav-reports").click()
    page.get_by_test_id("reports-tab-paper").click()
    for book in ("live", "paper", "gap"):
        expect(page.get_by_test_id(f"paper-row-SOL-{book}")).to_be_visible()
    page.get_by_test_id("nav-overview").click()


def test_health_says_what_was_found_and_when(page: Page, desk: Desk, pictures: Path) -> None:
    page.get_by_test_id("nav-health").click()
    for venue in ("kraken", "solana"):
        expect(page.get_by_test_id(f"venue-row-{venue}")).to_be_visible()
    looked = "select count(*) from risk_inspection where kind = 'canary'"
    desk.wait("the engine's canaries", lambda: bool(desk.value(looked)), 120)
    canaries = page.get_by_test_id("inspection-canary")
    expect(canaries).to_contain_text("ago, counts 1 d", timeout=20_000)
    checks = "select checks from risk_inspection where kind = 'canary' order by at desc limit 1"
    for check in desk.value(checks):
        expect(
            canaries.get_by_test_id(f"check-row-canary-{check['name'].replace(' ', '-')}")
        ).to_have_attribute("data-state", "green" if check["is_green"] else "red")
    epoch = desk.value("select max(epoch) from trading_enginestart")
    expect(page.get_by_test_id(f"start-row-{epoch}")).to_be_visible()
    page.screenshot(path=pictures / "health.png")
    page.get_by_test_id("nav-overview").click()


def test_no_screen_is_wider_than_a_phone(page: Page, pictures: Path) -> None:
    """Tables scroll inside their cards; the page itself never sideways."""
    page.set_viewport_size({"width": 390, "height": 844})
    try:
        for screen in ("opportunities", "trades", "reports", "assets", "health", "overview"):
            page.get_by_test_id(f"nav-{screen}").click()
            page.get_by_test_id(SCREEN_ID[screen]).wait_for()
            page.screenshot(path=pictures / f"{screen}.png", full_page=True)
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{screen} sticks out by {over} px"
            # Stopping stays in reach on every one of them.
            assert page.get_by_test_id("pause-button").is_visible()
            assert page.get_by_test_id("kill-button").is_visible()
    finally:
        page.set_viewport_size(WIDE)


def test_observe_only_and_back_to_live(page: Page, desk: Desk, pictures: Path) -> None:
    _expect_state(page, "live", 30)
    page.get_by_test_id("observe-toggle").click()
    _expect_state(page, "observe")
    assert desk.value("select mode from risk_control where scope = '*'") == "observe"
    page.screenshot(path=pictures / "observe.png")
    page.get_by_test_id("observe-toggle").click()
    confirm = page.get_by_test_id("live-confirm")
    expect(confirm).to_be_disabled()
    page.get_by_test_id("live-reason").fill("browser test")
    page.get_by_test_id("live-phrase").fill("go live")
    expect(confirm).to_be_disabled()
    page.get_by_test_id("live-phrase").fill("GO LIVE")
    confirm.click()
    _expect_state(page, "live")


def test_pause_is_confirmed_within_a_second(page: Page, pictures: Path) -> None:
    _expect_state(page, "live", 30)
    page.get_by_test_id("pause-button").click()
    _expect_state(page, "paused")
    took = _took_ms(page, "pause-button", "paused")
    page.screenshot(path=pictures / "paused.png")
    _resume(page)
    assert took <= CONFIRM_LIMIT_MS, f"click to PAUSED took {took:.0f} ms"


def test_only_the_engine_can_say_paused(page: Page, desk: Desk, pictures: Path) -> None:
    """With the engine frozen the database takes the pause, and the page must not believe it."""
    _expect_state(page, "live", 30)
    with desk.frozen("engine"):
        page.get_by_test_id("pause-button").click()
        expect(page.get_by_test_id("command-status")).to_contain_text("Not confirmed yet")
        assert desk.value("select mode from risk_control where scope = '*'") == "stop_new"
        page.screenshot(path=pictures / "unconfirmed.png")
        while_frozen = page.evaluate("window.seen.map(([word]) => word)")
        thawed_ms = page.evaluate("performance.now()")
        assert _attribute(page, "engine-state", "data-state") != "paused"
    _expect_state(page, "paused")
    # The earlier test paused once; this pause is painted only after the thaw.
    _until(page, "window.seen.at(-1)[0] === 'paused'")
    words = page.evaluate("window.seen")
    paused_at = [at for word, at in words if word == "paused"]
    assert len(paused_at) == while_frozen.count("paused") + 1
    assert paused_at[-1] > thawed_ms
    _resume(page)


def test_a_silent_kraken_pauses_by_itself_and_resumes_by_itself(
    page: Page, desk: Desk, pictures: Path
) -> None:
    _expect_state(page, "live", 30)
    desk.faults("kraken.stall", True, 60)
    banner = page.get_by_test_id(re.compile("^banner-auto-paused"))
    expect(banner.first).to_be_visible(timeout=20_000)
    expect(banner.first).to_contain_text("Kraken")
    expect(banner.first).to_contain_text("10 s")
    page.screenshot(path=pictures / "stalled.png")
    for asset in ASSETS:
        expect(page.get_by_test_id(f"spread-row-{asset}")).to_have_attribute(
            "data-state", "auto_paused", timeout=10_000
        )
    desk.faults("kraken.stall", False)
    expect(banner).to_have_count(0, timeout=60_000)
    _expect_state(page, "live")
    tripped = "select count(*) from risk_control where trips <> '{}'"
    assert desk.value(tripped) == 0
    page.screenshot(path=pictures / "resumed.png")
