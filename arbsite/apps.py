"""Django's entry for the app `arbsite` (the ground every other app stands on)."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ArbsiteConfig(AppConfig):
    """Makes the roles after every migrate: their permissions exist only then."""

    name = "arbsite"

    def ready(self) -> None:
        """Connect the making of roles; auth's own receiver has made the permissions before."""
        from arbsite.auth.roles import install_roles

        post_migrate.connect(install_roles, sender=self, dispatch_uid="arbsite.roles")
