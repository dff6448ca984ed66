"""The one URL map of the product.

Everything machine-readable is below /v1 and needs a signed-in user, except signing in.
Apps are named by dotted strings only: this package imports none of them.
"""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("v1/", include("arbsite.auth.api")),
    path("admin/", admin.site.urls),
]

handler400 = "arbsite.problems.bad_request"
handler404 = "arbsite.problems.not_found"
handler500 = "arbsite.problems.server_error"
