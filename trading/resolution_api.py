"""What people order for a trade over HTTP: resolve, approve, and the orders so far.

Answers 202 as soon as the database has the order; it is done when its state says so. Sent
again with the same Idempotency-Key it has one effect and the same answer. Not here: what an
order means (`resolutions`), carrying it out (the engine).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from django.urls import path
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite.auth.roles import Word
from arbsite.auth.step_up import require_second_factor
from arbsite.errors import DomainError
from arbsite.inputs import Query, Reason, idempotency_key, read_body, read_query
from arbsite.models import User
from arbsite.schema import IDEMPOTENCY_KEY, describe
from trading import resolutions
from trading.models import Trade
from trading.resolutions import OrderedAct, ResolutionPicture, Wanted

Code = Annotated[str, Meta(max_length=16)]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{0,96}$(?!\n)", max_length=96)]


class ResolveBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which act and why; attaching names a venue's record, flattening a preview."""

    act: OrderedAct
    venue: Literal["kraken", "solana", ""] = ""
    reference: Reference = ""
    preview: UUID | None = None
    reason: Reason = ""
    code: Code = ""


class SecondPersonBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The second person's reason and one-time code."""

    reason: Reason = ""
    code: Code = ""


class ResolutionList(msgspec.Struct, frozen=True):
    """Everything ordered for a trade, newest first."""

    rows: list[ResolutionPicture]


class ResolveView(APIView):
    """POST /v1/trades/{id}/resolve."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=ResolutionPicture, status=202, body=ResolveBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request, trade_id: UUID) -> Response:
        """Order a way out of OPERATOR, or that a swap is not sent again."""
        read_query(request, Query)
        key, body, user = idempotency_key(request), read_body(request, ResolveBody), _user(request)
        wanted = Wanted(body.act, body.venue, body.reference, body.preview)
        row = resolutions.earlier(trade_id, wanted, user=user, key=key)
        if row is None:
            # After the look-up: a code works once, and the second click has the same one.
            if body.act != "preview":
                require_second_factor(user, body.code)
            row = resolutions.request(trade_id, wanted, user=user, key=key, reason=body.reason)
        return Response(msgspec.to_builtins(resolutions.picture(row)), status=202)


class ResolutionsView(APIView):
    """GET /v1/trades/{id}/resolutions."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=ResolutionList, query=Query)
    def get(self, request: Request, trade_id: UUID) -> Response:
        """What was ordered for this trade and what came of it."""
        read_query(request, Query)
        if not Trade.objects.filter(id=trade_id).exists():
            raise DomainError("There is no such trade.", code="unknown_trade", status=404)
        return Response(msgspec.to_builtins(ResolutionList(resolutions.of_trade(trade_id))))


class ApproveResolutionView(APIView):
    """POST /v1/trades/{id}/resolutions/{order}/approve."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=ResolutionPicture, status=202, body=SecondPersonBody)
    def post(self, request: Request, trade_id: UUID, order_id: UUID) -> Response:
        """The second person's yes; the requester's own is refused."""
        read_query(request, Query)
        body, user = read_body(request, SecondPersonBody), _user(request)
        require_second_factor(user, body.code)
        row = resolutions.approve(trade_id, order_id, user=user, reason=body.reason)
        return Response(msgspec.to_builtins(resolutions.picture(row)), status=202)


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


urlpatterns = [
    path("trades/<uuid:trade_id>/resolve", ResolveView.as_view()),
    path("trades/<uuid:trade_id>/resolutions", ResolutionsView.as_view()),
    path(
        "trades/<uuid:trade_id>/resolutions/<uuid:order_id>/approve",
        ApproveResolutionView.as_view(),
    ),
]
