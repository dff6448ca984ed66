"""Rows that belong to no single app: people, and the audit log.

Called by Django's auth, `arbsite.auth` and `arbsite.audit`, which alone writes the log.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person or a machine that signs in. What each may do comes from its group."""

    class Meta(AbstractUser.Meta):
        # The three words of the whole API; `arbsite.auth.roles` gives them to groups.
        permissions = [
            ("read", "See everything the console shows"),
            ("trade", "Pause, resume, kill and handle trades"),
            ("admin", "Change configuration and limits"),
        ]


class AuditLog(models.Model):
    """One act of a person, a rule or a process: append-only, each row sealing the last.

    `id` counts from 1 without gaps. `hash` covers every other column and `prev_hash`, so a
    row that is changed, removed or slipped in is found (`manage.py verify_audit`).
    """

    id = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=200)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit row"
        indexes = [
            models.Index(fields=["target", "-id"], name="audit_by_target"),
            models.Index(fields=["actor", "-id"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"#{self.id} {self.actor} {self.action} {self.target}"


class AuditHead(models.Model):
    """The last number and hash of the log; its row lock puts writers in one line."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last_id = models.PositiveBigIntegerField()
    last_hash = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="audithead_single_row")
        ]

    def __str__(self) -> str:
        return f"head at #{self.last_id}"
