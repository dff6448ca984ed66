"""`manage.py create_operator NAME --role operator`: let a person or machine sign in."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.auth.roles import ROLES
from arbsite.auth.services import create_user
from arbsite.errors import DomainError


class Command(BaseCommand):
    """Reads the password from the terminal or, without one, the first line of stdin."""

    help = "Create a user with one role. The password is never an argument."

    def add_arguments(self, parser: CommandParser) -> None:
        """Name and role."""
        parser.add_argument("username")
        parser.add_argument("--role", choices=list(ROLES), default="operator")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the user, or say in one sentence why not."""
        password = (
            getpass.getpass("Password: ")
            if sys.stdin.isatty()
            else sys.stdin.readline().rstrip("\n")
        )
        try:
            create_user(options["username"], password, options["role"], actor="create_operator")
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['username']} may sign in as {options['role']}.")
