"""The one URL map of the product.

Everything machine-readable is below /v1 and needs a signed-in user, except signing in.
Apps are named by dotted strings only: this package imports none of them.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from arbsite.auth.permissions import NeedsWord
from arbsite.auth.roles import Word
from arbsite.health import healthz, metrics
from arbsite.pages import console_page


class SchemaView(SpectacularJSONAPIView):
    """GET /v1/schema: this map as OpenAPI, for signed-in users."""

    permission_classes = (NeedsWord,)
    words: ClassVar[dict[str, Word]] = {"GET": "read"}


admin.autodiscover()

urlpatterns = [
    path("v1/", include("arbsite.auth.api")),  # auth/token, auth/refresh, auth/logout, stream/…
    path("v1/", include("risk.api")),  # status, controls/…, incidents
    path("v1/", include("inventory.api")),  # inventory
    path("v1/", include("trading.api")),  # opportunities, windows, trades, config/{asset}
    path("v1/", include("trading.risk_api")),  # risk
    path("v1/", include("reports.api")),  # backtests, feasibility
    path("v1/", include("reports.prediction_api")),  # prediction
    path("v1/schema", SchemaView.as_view()),
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("metrics", metrics),
    # Everything else is an address inside the console.
    re_path(r"^(?!(?:v1|admin|static|assets)(?:/|$))", console_page),
]

handler400 = "arbsite.problems.bad_request"
handler404 = "arbsite.problems.not_found"
handler500 = "arbsite.problems.server_error"
