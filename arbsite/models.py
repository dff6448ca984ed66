"""Rows that belong to no single app: people. Called by Django's auth and by `arbsite.auth`."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person or a machine that signs in."""
