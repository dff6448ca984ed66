"""What the desk is doing, and the seven commands over it.

A command answers 202 with its id as soon as the database has it; it is in force when the
engine's status frame carries that id. Sent again with the same Idempotency-Key it has one
effect and the same answer. Not here: what a command changes (`risk.services`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Protocol

import msgspec
from django.urls import path
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbsite import events
from arbsite.auth.roles import Word
from arbsite.auth.step_up import require_second_factor
from arbsite.clock import SystemClock
from arbsite.errors import DomainError
from arbsite.inputs import (
    Asset,
    Nothing,
    PageSize,
    Query,
    Reason,
    Scope,
    idempotency_key,
    read_body,
    read_query,
)
from arbsite.models import User
from arbsite.schema import IDEMPOTENCY_KEY, describe
from arbsite.streams import Stream, kept_picture
from risk import selectors, services
from risk.models import Command
from risk.selectors import ControlRow


class Act(Protocol):
    """A command of `risk.services` that needs only a scope and a reason."""

    def __call__(self, scope: str, *, user: str, key: str, reason: str) -> services.Accepted: ...


class StatusPicture(msgspec.Struct, frozen=True):
    """The engine's last word and figures (None: never heard) beside the stored controls."""

    status: events.StatusFrame | None
    status_age_ms: float | None
    metrics: events.MetricsFrame | None
    metrics_age_ms: float | None
    controls: list[ControlRow]


class CommandBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which scope ("*" is the whole engine) and why."""

    scope: Scope = "*"
    reason: Reason = ""


class LiveBody(CommandBody, kw_only=True):
    """Going live wants the words typed and, outside the simulator, a second factor."""

    confirm: Literal["GO LIVE"]
    code: Annotated[str, Meta(max_length=16)] = ""


class ResumeBody(CommandBody, kw_only=True):
    """After a loss rule resuming wants a second factor outside the simulator."""

    code: Annotated[str, Meta(max_length=16)] = ""


class ResetBody(CommandBody, kw_only=True):
    """Resetting wants the incident's number typed."""

    incident: Annotated[int, Meta(ge=1, le=2**53)]
    code: Annotated[str, Meta(max_length=16)] = ""


class CommandAnswer(msgspec.Struct, frozen=True):
    """The database has the command; the engine has not said so yet.

    `waiting`: nothing has changed, a second person must order the same within 15 minutes.
    """

    command_id: str
    state: Literal["accepted", "waiting"]
    control_version: int


class IncidentQuery(Query, kw_only=True):
    """Which incidents; `cursor` is the `next` of the page before."""

    state: Literal["open", "acked", "closed"] | None = None
    asset: Asset | None = None
    cursor: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: PageSize = 50


class IncidentPage(msgspec.Struct, frozen=True):
    """Incidents, newest first; `next` is None on the last page."""

    rows: list[events.Incident]
    next: str | None


class StatusView(APIView):
    """GET /v1/status."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=StatusPicture, query=Query)
    def get(self, request: Request) -> Response:
        """The last status and metrics frames, each with its age, and the stored controls."""
        read_query(request, Query)
        now_ns = SystemClock().now_ns()
        frames: dict[str, Any] = {}
        streams: tuple[Stream, Stream] = ("status", "metrics")
        for stream in streams:
            picture = kept_picture(stream)
            frames[stream] = None if picture is None else msgspec.json.decode(picture.data)
            frames[f"{stream}_age_ms"] = (
                None if picture is None else max(0.0, (now_ns - picture.at_ns) / 1e6)
            )
        return Response({**frames, "controls": msgspec.to_builtins(selectors.control_rows())})


class CommandView(APIView):
    """What the seven commands share: the key, the repeat and the answer."""

    def simple(self, request: Request, act: Act) -> Response:
        """Carry out a command that needs no more than a scope and a reason."""
        read_query(request, Query)
        key, body = idempotency_key(request), read_body(request, CommandBody)
        name = _user(request).username
        return self.answer(body, act(body.scope, user=name, key=key, reason=body.reason))

    def answer(self, body: CommandBody, accepted: services.Accepted) -> Response:
        """202; 409 when the key was used before with another reason."""
        if accepted.is_repeat:
            earlier = Command.objects.get(id=accepted.command_id)
            if earlier.body.get("reason", "") != body.reason:
                raise DomainError(
                    "This Idempotency-Key was used with another body; make a new one.",
                    code="key_reused",
                    status=409,
                )
        state: Literal["accepted", "waiting"] = "waiting" if accepted.is_waiting else "accepted"
        answer = CommandAnswer(str(accepted.command_id), state, accepted.control_version)
        return Response(msgspec.to_builtins(answer), status=202)


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


class PauseView(CommandView):
    """POST /v1/controls/pause."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=CommandAnswer, status=202, body=CommandBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request) -> Response:
        """No new trades; what is in flight is finished."""
        return self.simple(request, services.pause)


class ResumeView(CommandView):
    """POST /v1/controls/resume."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=CommandAnswer, status=202, body=ResumeBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request) -> Response:
        """Back to the mode before the pause; a reason is required.

        After a loss rule two people order it, each with a second factor.
        """
        read_query(request, Query)
        key, body = idempotency_key(request), read_body(request, ResumeBody)
        user, must_prove = _user(request), services.needs_second_factor(body.scope)
        if must_prove:
            require_second_factor(user, body.code)
        accepted = services.resume(
            body.scope,
            user=user.username,
            key=key,
            reason=body.reason,
            has_second_factor=must_prove,
        )
        return self.answer(body, accepted)


class ObserveView(CommandView):
    """POST /v1/controls/observe."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=CommandAnswer, status=202, body=CommandBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request) -> Response:
        """Decisions are computed and stored; nothing is sent."""
        return self.simple(request, services.observe)


class PaperView(CommandView):
    """POST /v1/controls/paper."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=CommandAnswer, status=202, body=CommandBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request) -> Response:
        """A model trades on live prices with a ledger of its own; nothing is sent."""
        return self.simple(request, services.paper)


class KillView(CommandView):
    """POST /v1/controls/kill."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=CommandAnswer, status=202, body=CommandBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request) -> Response:
        """Halt: nothing is sent any more, not even again."""
        return self.simple(request, services.kill)


class LiveView(CommandView):
    """POST /v1/controls/live."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=CommandAnswer, status=202, body=LiveBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request) -> Response:
        """End observe only; the words and a reason are required."""
        read_query(request, Query)
        key, body = idempotency_key(request), read_body(request, LiveBody)
        user = _user(request)
        require_second_factor(user, body.code)
        return self.answer(
            body, services.go_live(body.scope, user=user.username, key=key, reason=body.reason)
        )


class ResetView(CommandView):
    """POST /v1/controls/reset."""

    words: ClassVar[dict[str, Word]] = {"POST": "admin"}

    @describe(answer=CommandAnswer, status=202, body=ResetBody, parameters=(IDEMPOTENCY_KEY,))
    def post(self, request: Request) -> Response:
        """Leave the kill switch to observe only; incident number and reason are required."""
        read_query(request, Query)
        key, body = idempotency_key(request), read_body(request, ResetBody)
        user = _user(request)
        require_second_factor(user, body.code)
        accepted = services.reset(
            body.scope,
            user=user.username,
            key=key,
            reason=body.reason,
            incident=body.incident,
        )
        return self.answer(body, accepted)


class IncidentsView(APIView):
    """GET /v1/incidents."""

    words: ClassVar[dict[str, Word]] = {"GET": "read"}

    @describe(answer=IncidentPage, query=IncidentQuery)
    def get(self, request: Request) -> Response:
        """Incidents, newest first."""
        query = read_query(request, IncidentQuery)
        found = selectors.incidents(state=query.state, asset=query.asset, before=query.cursor)
        rows = [selectors.incident_row(entry) for entry in found[: query.limit + 1]]
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        page = IncidentPage(rows, str(rows[-1].number) if more else None)
        return Response(msgspec.to_builtins(page))


class AcknowledgeView(APIView):
    """POST /v1/incidents/{number}/ack."""

    words: ClassVar[dict[str, Word]] = {"POST": "trade"}

    @describe(answer=events.Incident, body=Nothing)
    def post(self, request: Request, number: int) -> Response:
        """Stop the alarm's repetition; acknowledging twice changes nothing."""
        read_query(request, Query)
        read_body(request, Nothing)
        incident = services.acknowledge(number, user=_user(request).username)
        return Response(msgspec.to_builtins(selectors.incident_row(incident)))


urlpatterns = [
    path("status", StatusView.as_view()),
    path("controls/pause", PauseView.as_view()),
    path("controls/resume", ResumeView.as_view()),
    path("controls/observe", ObserveView.as_view()),
    path("controls/paper", PaperView.as_view()),
    path("controls/live", LiveView.as_view()),
    path("controls/kill", KillView.as_view()),
    path("controls/reset", ResetView.as_view()),
    path("incidents", IncidentsView.as_view()),
    path("incidents/<int:number>/ack", AcknowledgeView.as_view()),
]
