"""Rows that belong to no single app: people, their sessions, approvals, and the audit log.

Called by Django's auth and `arbsite.auth`; `arbsite.audit` alone writes the log.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models

from arbsite.clock import uuid7


class User(AbstractUser):
    """A person or a machine that signs in. What each may do comes from its group."""

    class Meta(AbstractUser.Meta):
        # The three words of the whole API; `arbsite.auth.roles` gives them to groups.
        permissions = [
            ("read", "See everything the console shows"),
            ("trade", "Pause, resume, kill and handle trades"),
            ("admin", "Change configuration and limits"),
        ]


class Session(models.Model):
    """One sign-in. `jti` names the only refresh token that is still good.

    `expires_at` moves with every renewal, up to the absolute limit. `password_mark` ties
    the session to the password it was opened with.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    jti = models.CharField(max_length=64)
    password_mark = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    refreshed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"


class Approval(models.Model):
    """One person's yes to one exact change. `digest` is the hash of what was shown."""

    subject = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="approvals")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "user"], name="approval_once_per_person")
        ]

    def __str__(self) -> str:
        return f"{self.subject} by {self.user_id}"


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
