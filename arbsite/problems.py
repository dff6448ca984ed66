"""Every error of the API in one form: {"code", "detail", "request_id"} and, maybe, "fields".

Domain errors keep their status and words; what nobody expected becomes a 500 that says
nothing but the id under which the log has the traceback. Named in the settings as DRF's
exception handler and in `urls` for what fails before a view is found.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.defaults import page_not_found as django_page_not_found
from django.views.defaults import server_error as django_server_error
from rest_framework import exceptions
from rest_framework.response import Response

from arbsite.clock import uuid7
from arbsite.errors import DomainError
from arbsite.logs import event_logger

log = event_logger(__name__)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every 4xx and 5xx. `fields` names each wrong field."""

    code: str
    detail: str
    request_id: str
    fields: dict[str, str] = {}


def answer_error(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler."""
    request_id = uuid7().hex
    status, code, detail, fields, headers = _described(error)
    view = type(context.get("view")).__name__
    if status >= 500:
        # DRF calls this from its except block.
        log.exception("request.failed", request_id=request_id, view=view)  # noqa: LOG004
    else:
        log.info("request.refused", request_id=request_id, view=view, status=status, code=code)
    problem = Problem(code=code, detail=detail, request_id=request_id, fields=fields)
    return Response(msgspec.to_builtins(problem), status=status, headers=headers)


Described = tuple[int, str, str, dict[str, str], dict[str, str]]


def _described(error: Exception) -> Described:
    """Status, code, detail, fields and headers of what went wrong."""
    match error:
        case DomainError():
            return error.status, error.code, str(error), {}, {}
        case Http404():
            return 404, "not_found", "There is nothing at this address.", {}, {}
        case PermissionDenied():
            return 403, "forbidden", "Your role does not permit this.", {}, {}
        case exceptions.ValidationError():
            fields = _fields(error.detail)
            detail = "; ".join(f"{name}: {text}" for name, text in fields.items())
            return 400, "invalid", detail, fields, {}
        case exceptions.APIException():
            return _described_api(error)
        case OperationalError():
            return 503, "unavailable", "The database does not answer; try again.", {}, {}
        case _:
            return 500, "internal", "The server failed; quote the request id.", {}, {}


def _described_api(error: exceptions.APIException) -> Described:
    headers: dict[str, str] = {}
    status = error.status_code
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        # DRF makes this 403 on views without authentication; signing in is such a view.
        status = 401
        headers["WWW-Authenticate"] = 'Bearer realm="api"'
    wait_s = getattr(error, "wait", None)
    if wait_s is not None:
        headers["Retry-After"] = str(int(wait_s))
    detail: Any = error.detail
    if isinstance(detail, dict):  # simplejwt wraps its reason
        detail = detail.get("detail", "The request was refused.")
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    if isinstance(codes, dict):
        code = str(codes.get("code", error.default_code))
    return status, code, str(detail), {}, headers


def _fields(detail: Any) -> dict[str, str]:
    if isinstance(detail, dict):
        return {str(name): _sentence(entry) for name, entry in detail.items()}
    return {"body": _sentence(detail)}


def _sentence(entry: Any) -> str:
    return " ".join(map(str, entry)) if isinstance(entry, list) else str(entry)


# ---- before and outside of views ----------------------------------------------------


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/v1/")


def _answer(status: int, code: str, detail: str) -> JsonResponse:
    problem = Problem(code=code, detail=detail, request_id=uuid7().hex)
    return JsonResponse(msgspec.to_builtins(problem), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400: malformed hosts, oversized forms."""
    return _answer(400, "bad_request", "The request is malformed.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler404."""
    if _is_api(request):
        return _answer(404, "not_found", "There is nothing at this address.")
    return django_page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; the traceback went to the log of django.request."""
    if _is_api(request):
        answer = _answer(500, "internal", "The server failed; quote the request id.")
        logging.getLogger(__name__).error("request.failed", extra={"facts": {"path": request.path}})
        return answer
    return django_server_error(request)
