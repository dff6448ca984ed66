"""Windows, opportunities, trades and configurations over HTTP.

Lists are newest first, in pages: `next` of one page is the `cursor` of the next, so a list
that grows at its head never repeats or skips a row. Not here: queries (`selectors`), what a
change of configuration means (`services`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from django.urls import path, re_path
from msgspec import UNSET, Meta, UnsetType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite import events
from arbsite.auth.roles import Word
from arbsite.clock import ns_from_at
from arbsite.errors import DomainError
from arbsite.inputs import (
    Asset,
    DecimalText,
    Page,
    Query,
    Reason,
    cursor_of,
    read_body,
    read_cursor,
    read_query,
)
from arbsite.models import User
from arbsite.schema import IF_MATCH, describe
from feeds.market.spec import Direction
from trading import health_api, paper_api, resolution_api, selectors, services
from trading.intent import Book
from trading.paper_selectors import paper_picture, paper_trade_rows, paper_trades
from trading.selectors import Place, TradePicture, WindowFilter, WindowPicture
from trading.services import ConfigPicture

Instant = Annotated[datetime, Meta(tz=True)]
Edge = Annotated[str, Meta(pattern=r"^-?[0-9]{1,6}(\.[0-9]{1,6})?$(?!\n)", max_length=14)]
GateName = Annotated[str, Meta(pattern=r"^[a-z0-9_:.]{1,64}$(?!\n)", max_length=64)]


class WindowQuery(Page, kw_only=True):
    """Which windows; `since` and `until` are instants with a zone, `until` excluded."""

    asset: Asset | None = None
    direction: Direction | None = None
    decision: Literal["taken", "stored", "refused", "watched"] | None = None
    gate: GateName | None = None
    min_edge: Edge | None = None
    since: Instant | None = None
    until: Instant | None = None

    def wanted(self) -> WindowFilter:
        """The same as the selectors take it."""
        return WindowFilter(
            asset=self.asset,
            direction=self.direction,
            decision=self.decision,
            gate=self.gate,
            min_edge_bps=None if self.min_edge is None else float(self.min_edge),
            since_ns=None if self.since is None else ns_from_at(self.since),
            until_ns=None if self.until is None else ns_from_at(self.until),
        )


class TradeQuery(Page, kw_only=True):
    """Which trades; paper ones only when they are asked for, never among live ones."""

    asset: Asset | None = None
    state: Literal["open", "hedging", "closed", "operator"] | None = None
    outcome: Literal["both", "partial", "missed", "hedged", "pending"] | None = None
    book: Book = "live"


class OpportunityPage(msgspec.Struct, frozen=True):
    """Windows as the console lists them; `next` is None on the last page."""

    rows: list[events.OpportunityRow]
    next: str | None


class WindowPage(msgspec.Struct, frozen=True):
    """Whole windows; `next` is None on the last page."""

    rows: list[WindowPicture]
    next: str | None


class TradePage(msgspec.Struct, frozen=True):
    """Trades with their legs; `next` is None on the last page."""

    rows: list[events.TradeRow]
    next: str | None


class OpportunitiesView(APIView):
    """GET /v1/opportunities."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=OpportunityPage, query=WindowQuery)
    def get(self, request: Request) -> Response:
        """Windows and what was decided on each."""
        query = read_query(request, WindowQuery)
        found = list(selectors.windows(query.wanted(), _after(query))[: query.limit + 1])
        listed = selectors.opportunity_rows(found[: query.limit])
        last = listed[-1] if len(found) > query.limit else None
        following = None if last is None else cursor_of(last.opened_at_ns, last.window_id)
        return Response(msgspec.to_builtins(OpportunityPage(listed, following)))


class WindowsView(APIView):
    """GET /v1/windows."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=WindowPage, query=WindowQuery)
    def get(self, request: Request) -> Response:
        """Windows with every column."""
        query = read_query(request, WindowQuery)
        found = list(selectors.windows(query.wanted(), _after(query))[: query.limit + 1])
        listed = [selectors.window_picture(window) for window in found[: query.limit]]
        last = listed[-1] if len(found) > query.limit else None
        following = None if last is None else cursor_of(last.opened_at_ns, last.window_id)
        return Response(msgspec.to_builtins(WindowPage(listed, following)))


class TradesView(APIView):
    """GET /v1/trades."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=TradePage, query=TradeQuery, name="trades_list")
    def get(self, request: Request) -> Response:
        """Trades with their legs."""
        query = read_query(request, TradeQuery)
        listed, has_more = _listed(query)
        last = listed[-1] if has_more else None
        following = None if last is None else cursor_of(last.detect_at_ns, last.id)
        return Response(msgspec.to_builtins(TradePage(listed, following)))


def _listed(query: TradeQuery) -> tuple[list[events.TradeRow], bool]:
    """One page of a book's trades, and whether there are more."""
    after, most = _after(query), query.limit
    wanted = {"asset": query.asset, "state": query.state, "outcome": query.outcome}
    if query.book == "paper":
        modelled = list(paper_trades(**wanted, after=after)[: most + 1])
        return paper_trade_rows(modelled[:most]), len(modelled) > most
    found = list(selectors.trades(**wanted, after=after)[: most + 1])
    return selectors.trade_rows(found[:most]), len(found) > most


class TradeView(APIView):
    """GET /v1/trades/{id}."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=TradePicture, query=Query)
    def get(self, request: Request, trade_id: UUID) -> Response:
        """One trade of either book: legs, the decision behind it, executions, booked changes."""
        read_query(request, Query)
        picture = selectors.trade_picture(trade_id) or paper_picture(trade_id)
        if picture is None:
            raise DomainError("There is no such trade.", code="unknown_trade", status=404)
        return Response(msgspec.to_builtins(picture))


def _after(query: Page) -> Place | None:
    return None if query.cursor is None else read_cursor(query.cursor)


# ---- configuration ------------------------------------------------------------------

Bps = Annotated[str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?$(?!\n)")]
Fraction = Annotated[str, Meta(pattern=r"^[01](\.[0-9]{1,4})?$(?!\n)")]
Percent = Annotated[str, Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3})?$(?!\n)")]
Small = Annotated[int, Meta(ge=0, le=32_767)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Big = Annotated[int, Meta(ge=0, le=2**53)]


class ConfigBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A change: `version` is the one it was made from; fields left out stay as they are."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | UnsetType = UNSET
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    enabled: bool | UnsetType = UNSET
    mode: events.Mode | UnsetType = UNSET
    leg_order: Literal["auto", "concurrent", "dex_first", "cex_first"] | UnsetType = UNSET
    min_edge_bps: Bps | UnsetType = UNSET
    min_profit_usd: DecimalText | UnsetType = UNSET
    haircut_bps: Bps | UnsetType = UNSET
    slippage_cap_bps: Bps | UnsetType = UNSET
    max_notional_usd: DecimalText | UnsetType = UNSET
    cex_depth_cap: Fraction | UnsetType = UNSET
    dex_impact_cap_bps: Bps | UnsetType = UNSET
    daily_notional_cap_usd: DecimalText | UnsetType = UNSET
    daily_loss_cap_usd: DecimalText | UnsetType = UNSET
    daily_trades_cap: Count | UnsetType = UNSET
    max_frame_age_ms: Count | UnsetType = UNSET
    max_slot_lag: Small | UnsetType = UNSET
    cooldown_ms: Count | UnsetType = UNSET
    intents_per_window: Small | UnsetType = UNSET
    cu_price_micro_lamports: Big | UnsetType = UNSET
    tip_lamports: Big | UnsetType = UNSET
    order_deadline_ms: Count | UnsetType = UNSET
    max_hedges: Small | UnsetType = UNSET
    max_naked_usd: DecimalText | UnsetType = UNSET
    max_naked_s: Count | UnsetType = UNSET
    inventory_band_pct: Percent | UnsetType = UNSET


class DecisionBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which proposed version, and why."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    reason: Reason = ""


class ConfigView(APIView):
    """GET, PUT /v1/config/{asset}."""

    words: ClassVar[dict[str, Word]] = {"GET": "read", "PUT": "admin"}

    @describe(answer=ConfigPicture, query=Query)
    def get(self, request: Request, asset: str) -> Response:
        """The version in force and the proposals that wait for approval."""
        read_query(request, Query)
        return _config(services.config_picture(asset))

    @describe(
        answer=ConfigPicture, also={202: ConfigPicture}, body=ConfigBody, parameters=(IF_MATCH,)
    )
    def put(self, request: Request, asset: str) -> Response:
        """Change fields: tighter ones are in force at once (200), looser ones wait (202)."""
        read_query(request, Query)
        body = read_body(request, ConfigBody)
        changes = {
            name: value
            for name, value in msgspec.structs.asdict(body).items()
            if value is not UNSET and name not in ("version", "reason")
        }
        outcome = services.change_config(
            asset,
            changes,
            version=_version(request, body),
            user=_user(request),
            reason=body.reason,
        )
        picture = services.config_picture(asset)
        return _config(picture, status=200 if outcome.status == "in_force" else 202)


class ApproveView(APIView):
    """POST /v1/config/{asset}/approve."""

    words: ClassVar[dict[str, Word]] = {"POST": "admin"}

    @describe(answer=ConfigPicture, also={202: ConfigPicture}, body=DecisionBody)
    def post(self, request: Request, asset: str) -> Response:
        """Approve a proposal; 200 when that puts it in force, 202 while more must approve."""
        read_query(request, Query)
        body = read_body(request, DecisionBody)
        outcome = services.approve_config(
            asset, body.version, user=_user(request), reason=body.reason
        )
        picture = services.config_picture(asset)
        return _config(picture, status=200 if outcome.status == "in_force" else 202)


class RejectView(APIView):
    """POST /v1/config/{asset}/reject."""

    words: ClassVar[dict[str, Word]] = {"POST": "admin"}

    @describe(answer=ConfigPicture, body=DecisionBody)
    def post(self, request: Request, asset: str) -> Response:
        """Refuse a proposal for good."""
        read_query(request, Query)
        body = read_body(request, DecisionBody)
        services.reject_config(asset, body.version, user=_user(request), reason=body.reason)
        return _config(services.config_picture(asset))


def _config(picture: ConfigPicture, status: int = 200) -> Response:
    response = Response(msgspec.to_builtins(picture), status=status)
    response["ETag"] = f'"{picture.in_force.version}"'
    return response


def _version(request: Request, body: ConfigBody) -> int:
    """The version the change was made from: If-Match or the body, which must agree."""
    header = request.headers.get("If-Match", "").strip().strip('"')
    if not header:
        if body.version is UNSET:
            raise DomainError(
                "Name the version you changed, in `version` or If-Match.",
                code="version_required",
                status=428,
            )
        return body.version
    if not (header.isascii() and header.isdigit() and len(header) <= 10):
        raise DomainError("If-Match must be a version number.", code="invalid_version")
    if body.version not in (UNSET, int(header)):
        raise DomainError("If-Match and `version` differ.", code="invalid_version")
    return int(header)


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


urlpatterns = [
    *resolution_api.urlpatterns,
    *paper_api.urlpatterns,
    *health_api.urlpatterns,
    path("opportunities", OpportunitiesView.as_view()),
    path("windows", WindowsView.as_view()),
    path("trades", TradesView.as_view()),
    path("trades/<uuid:trade_id>", TradeView.as_view()),
    re_path(r"^config/(?P<asset>[A-Z0-9]{1,16})\Z", ConfigView.as_view()),
    re_path(r"^config/(?P<asset>[A-Z0-9]{1,16})/approve\Z", ApproveView.as_view()),
    re_path(r"^config/(?P<asset>[A-Z0-9]{1,16})/reject\Z", RejectView.as_view()),
]
