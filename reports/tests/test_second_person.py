"""What takes more than one person, by hand in a real Chromium, each person in a session of
their own: an order about a parked trade above the value one may resolve alone, and a haircut
that the errors ask for. The web server is the product's; no engine runs, and none is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect

from arbsite.auth.roles import Role
from arbsite.auth.services import create_user
from arbsite.clock import utc_now
from arbsite.models import AuditLog
from arbsite.tests.auth.people import PASSWORD
from arbsite.tests.stream.rig import web_server
from reports.tests.browser import chromium, signed_in_page
from reports.tests.test_prediction import booked
from trading.models import AssetConfig, EngineLease, Resolution
from trading.tests.api.test_lists import add_trade
from trading.tests.intents import open_desk

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

TRADE = UUID(int=1)
Enter = Callable[[str, Role], Page]


@pytest.fixture(scope="module")
def port(test_database_url: str, redis_url: str) -> Iterator[int]:
    with web_server("reports.tests.two_people:application", test_database_url) as port:
        yield port


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # The driver keeps a loop of its own in this thread, where nothing of ours is awaited; Django
    # would take every query of a test for one that blocks it.
    with pytest.MonkeyPatch.context() as patch, chromium() as started:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield started


@pytest.fixture
def enter(transactional_db: None, port: int, browser: Browser) -> Iterator[Enter]:
    """Make a user and sign them in, in a session of their own."""
    cache.clear()
    pages: list[Page] = []

    def one(name: str, role: Role) -> Page:
        create_user(name, PASSWORD, role)
        pages.append(signed_in_page(browser, f"http://127.0.0.1:{port}/", name, PASSWORD))
        return pages[-1]

    yield one
    for page in pages:
        page.context.close()
    cache.clear()


def _go(page: Page, address: str) -> None:
    """By the address, as a link that somebody sent."""
    page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + address)


def test_an_order_above_the_value_waits_for_somebody_else(enter: Enter) -> None:
    EngineLease.objects.create(shard="main", epoch=1, heartbeat_at=utc_now())
    add_trade(1, state="operator", residual_base=Decimal(1), closed_ns=None)
    ann = enter("ann", "operator")
    _go(ann, f"/trades?sel={TRADE}")
    ann.get_by_test_id("resolve-open").click()
    ann.get_by_test_id("resolve-act-keep").check()
    ann.get_by_test_id("resolve-reason").fill("wanted it anyway")
    ann.get_by_test_id("resolve-confirm").click()
    orders = ann.get_by_test_id("trade-orders")
    expect(orders).to_contain_text("Somebody else must approve what you ordered.")
    row = Resolution.objects.get()
    assert (row.state, row.user) == ("waiting", "ann")
    # Her own page offers no way to approve it.
    expect(ann.get_by_test_id(f"approve-open-{row.id}")).to_have_count(0)

    bob = enter("bob", "operator")
    _go(bob, f"/trades?sel={TRADE}")
    bob.get_by_test_id(f"approve-open-{row.id}").click()
    confirm = bob.get_by_test_id("approve-confirm")
    expect(confirm).to_be_disabled()
    bob.get_by_test_id("approve-reason").fill("agreed")
    confirm.click()
    expect(bob.get_by_test_id(f"order-state-{row.id}")).to_have_attribute("data-state", "requested")
    # It reaches the page of the one who ordered it by itself.
    expect(orders).to_contain_text("approved by bob")
    row.refresh_from_db()
    assert (row.state, row.approved_by) == ("requested", "bob")
    assert AuditLog.objects.get(action="trade.approve").reason == "agreed"


def test_a_viewer_sees_the_order_and_no_way_to_approve_it(enter: Enter) -> None:
    EngineLease.objects.create(shard="main", epoch=1, heartbeat_at=utc_now())
    trade = add_trade(1, state="operator", residual_base=Decimal(1), closed_ns=None)
    Resolution.objects.create(
        trade=trade, act="keep", state="waiting", user="ann", idempotency_key="k",
        reason="wanted it anyway", created_at=utc_now(), expires_at=utc_now(),
    )  # fmt: skip
    page = enter("vic", "viewer")
    _go(page, f"/trades?sel={TRADE}")
    orders = page.get_by_test_id("trade-orders")
    expect(orders).to_contain_text("Needs operator permission to approve.")
    expect(orders.get_by_role("button")).to_have_count(0)


def test_a_haircut_from_the_errors_is_in_force_when_two_others_agree(enter: Enter) -> None:
    open_desk("SOL")
    EngineLease.objects.create(shard="main", epoch=1, heartbeat_at=utc_now())
    for number in range(1, 61):
        booked(number, slip="0.06")
    before = AssetConfig.objects.get(asset="SOL", status="in_force")
    ann = enter("ann", "admin")
    _go(ann, "/reports?tab=prediction")
    ann.get_by_test_id("propose-haircut-SOL").click()
    ann.get_by_test_id("haircut-waiting-SOL").click()
    version = AssetConfig.objects.get(status="proposed").version
    approve = f"proposal-approve-SOL-{version}"
    own = ann.get_by_test_id(f"proposal-SOL-{version}")
    expect(own).to_contain_text("Haircut bps")
    expect(own).to_contain_text("Somebody else must approve what you proposed.")
    expect(ann.get_by_test_id(approve)).to_be_disabled()

    for name, said in (("bob", "1 of 2 approvals: bob"), ("cid", None)):
        page = enter(name, "admin")
        _go(page, "/asset-modes")
        page.get_by_test_id(approve).click()
        page.get_by_test_id("decide-reason").fill("the errors are clear")
        page.get_by_test_id("decide-confirm").click()
        waiting = page.get_by_test_id(f"proposal-SOL-{version}")
        if said is None:
            expect(waiting).to_have_count(0)
        else:
            expect(waiting).to_contain_text(said)
            expect(page.get_by_test_id(approve)).to_be_disabled()
            assert AssetConfig.objects.get(asset="SOL", status="in_force") == before
    now = AssetConfig.objects.get(asset="SOL", status="in_force")
    assert now.version == version
    assert now.haircut_bps > before.haircut_bps
