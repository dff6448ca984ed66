"""`manage.py build_swap`: show the exact instruction the desk would sign for a swap."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.errors import SetupError
from feeds.venues.solana.inspection import build_swap, instruction_json


class Command(BaseCommand):
    """Prints one JSON object; signs and sends nothing."""

    help = (
        "Read one swap as JSON and print what would be signed for it: program id, account metas "
        "in order, instruction data in base64. Fields: pool_kind (whirlpool | cpmm | "
        "ammv4); pool, either "
        'the account {"pubkey", "owner", "data": base64} or its keys {"address", "mint_a", '
        '"mint_b", "vault_a", "vault_b", "tick_spacing" | "amm_config"}; mints {"base", '
        '"quote"}; user (wallet: its associated token accounts are used); side (buy | sell the '
        "base); base_quantity and threshold in raw units (threshold: most quote in when buying, "
        "least quote out when selling); tick_arrays for a whirlpool, one to three addresses, "
        "accounts or start indexes in order. Needs no database, no network and no key."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file."""
        parser.add_argument("file", help="JSON file, or - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        """Build and print."""
        try:
            name = options["file"]
            payload = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            instruction = build_swap(payload)
        except (OSError, SetupError) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(json.dumps(instruction_json(instruction), indent=1))
