"""What machines ask the web process: is it able to serve, and its metrics.

Neither needs a user. Metrics are answered to this machine only. Not here: the health of the
desk, which is /v1/status and needs one.
"""

from __future__ import annotations

from ipaddress import ip_address

from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

import arbsite.metrics  # noqa: F401 - declares the series that are answered


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when database and cache answer, 503 naming the one that does not."""
    failing = [
        name
        for name, answers in (("database", _database_answers), ("cache", _cache_answers))
        if not answers()
    ]
    body = {"status": "failing" if failing else "ok", "failing": failing}
    return JsonResponse(body, status=503 if failing else 200)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """This process's Prometheus series, for a scraper on this machine."""
    if not _is_local(request):
        raise Http404
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _is_local(request: HttpRequest) -> bool:
    """From loopback and not through a proxy, which would name the caller in a header."""
    if "HTTP_X_FORWARDED_FOR" in request.META:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return False
    return True


def _cache_answers() -> bool:
    try:
        cache.get("healthz")
    except (RedisError, OSError):
        return False
    return True
