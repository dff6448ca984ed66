"""The console's page for every address that is not the server's own: deep links reload."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe


@require_safe
def console_page(request: HttpRequest) -> HttpResponse:
    """The built index.html, never cached, so that a new build is seen on the next load."""
    try:
        page = (settings.CONSOLE_DIST / "index.html").read_bytes()
    except FileNotFoundError:
        return HttpResponse(
            "The console is not built yet; run `make console` and load this page again.\n",
            status=503,
            content_type="text/plain; charset=utf-8",
        )
    response = HttpResponse(page, content_type="text/html; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response
