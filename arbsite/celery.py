"""The Celery application; tasks are found in each app's `tasks` module.

Run by `celery -A arbsite.celery worker` and `beat`. Every task must be idempotent: after
a worker is killed the broker delivers its task again.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbsite.settings")

app = Celery("spreadline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
