"""The Celery application; tasks are found in each app's `tasks` module.

Run by `celery -A arbsite.celery worker` and `beat`. Every task must be idempotent: after
a worker is killed the broker delivers its task again.
"""

from __future__ import annotations

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun

from arbsite.logs import intent_key

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbsite.settings")

# Whoever runs the product as root chose to; messages are JSON only, never pickles.
warnings.filterwarnings("ignore", category=SecurityWarning)

_INTENT_HEADER = "spreadline_intent_key"

app = Celery("spreadline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Connected, so Celery leaves the logging that Django's settings configured alone."""


@before_task_publish.connect
def send_intent_key(headers: dict[str, object] | None = None, **_: object) -> None:
    """Send the bound intent along, so that the worker's records carry it too."""
    key = intent_key.get()
    if headers is not None and key is not None:
        headers[_INTENT_HEADER] = key


@task_prerun.connect
def bind_intent_key(task: object = None, **_: object) -> None:
    """Bind the intent the task came with; without one, clear what a former task left."""
    request = getattr(task, "request", None)
    key = getattr(request, _INTENT_HEADER, None)
    if key is None:
        key = (getattr(request, "headers", None) or {}).get(_INTENT_HEADER)
    intent_key.set(key if isinstance(key, str) else None)


@task_postrun.connect
def unbind_intent_key(**_: object) -> None:
    """Leave nothing behind on the worker's thread."""
    intent_key.set(None)
