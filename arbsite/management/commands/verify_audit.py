"""`manage.py verify_audit`: walk the audit chain and say whether anybody changed it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arbsite.audit import first_broken_row
from arbsite.models import AuditHead


class Command(BaseCommand):
    """Exit 0 with the head to publish elsewhere, or 1 naming the first broken row."""

    help = "Verify the hash chain of the audit log."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = first_broken_row()
        if broken is not None:
            raise CommandError(f"The audit log is broken at row {broken.row}: {broken.why}.")
        head = AuditHead.objects.filter(id=1).first()
        if head is None:
            self.stdout.write("The audit log is empty.")
        else:
            self.stdout.write(f"{head.last_id} rows verified; head {head.last_hash}")
