#!/usr/bin/env python3
"""Run a Spreadline command: `manage.py help` lists them, `manage.py up` starts the product."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Hand the command line to Django with the product's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbsite.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit(
            "Spreadline: Django is not importable by this Python; "
            "run `make run`, which creates .venv, or use .venv/bin/python manage.py."
        )
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
