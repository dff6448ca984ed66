"""`manage.py sync_markets`: verify listed markets on both venues and put them in force."""

from __future__ import annotations

import asyncio
import getpass
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arbsite.clock import SystemClock, system_random
from arbsite.errors import QueryFailed, SetupError
from feeds import assembly
from feeds.listing import file, rows
from feeds.listing.verify import Refused, Verified, verify
from feeds.venues.kraken.instruments import read_instruments
from feeds.venues.sockets import SocketTransport
from feeds.venues.solana.rpc import SolanaRpc

FILES = settings.BASE_DIR / "deploy" / "markets"


class Command(BaseCommand):
    help = (
        "Read Kraken's list of pairs and every account of the listed pools (pool, vaults, tick "
        "arrays, fee configuration, both mints), at one slot and from two RPC providers where "
        "there are two, and write what was verified into the Market rows. A listing that is "
        "wrong is refused with the reason and kept out of trading; nothing is believed because "
        "it stands in the file. The sim profile checks the simulated world (start it first); "
        "every other profile reads deploy/markets/<cluster>.toml or --file. Exit code 1 when a "
        "listing was refused, or with --check when a row differs; 2 when a venue does not answer."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--file", type=Path, help="market file (TOML)")
        parser.add_argument("--asset", action="append", help="only this asset; may be repeated")
        parser.add_argument("--check", action="store_true", help="tell, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, store, report."""
        try:
            listings = self._listings(options["file"], options["asset"])
            verdicts = asyncio.run(self._verify(listings))
        except (SetupError, QueryFailed) as error:
            raise CommandError(str(error), returncode=2) from error
        is_check = options["check"]
        actor = f"command ({getpass.getuser()})"
        outcomes = [
            rows.compare(verdict) if is_check else rows.store(verdict, actor=actor)
            for verdict in verdicts
        ]
        for outcome in outcomes:
            self.stdout.write(f"{outcome.asset:<8} {outcome.change:<8} {outcome.note}")
        bad = {"refused", "new", "changed"} if is_check else {"refused"}
        if any(outcome.change in bad for outcome in outcomes):
            sys.exit(1)

    def _listings(self, path: Path | None, assets: list[str] | None) -> list[file.Listing]:
        if path is None and settings.IS_SIM:
            found = file.of_the_simulator()
        else:
            found = file.read(path or FILES / f"{settings.SOLANA_CLUSTER}.toml")
        unknown = set(assets or ()) - {listing.asset for listing in found}
        if unknown:
            raise SetupError(f"not listed: {', '.join(sorted(unknown))}.")
        return [listing for listing in found if assets is None or listing.asset in assets]

    async def _verify(self, listings: list[file.Listing]) -> list[Verified | Refused]:
        transport, clock = SocketTransport(), SystemClock()
        rpc = SolanaRpc(
            transport, assembly.solana_endpoints(), clock=clock, rng=system_random(), timeout_s=10.0
        )
        verdicts = []
        try:
            pairs = await read_instruments(transport, settings.KRAKEN_WS_URL)
            for number, listing in enumerate(listings, 1):
                self.stderr.write(f"{number}/{len(listings)} {listing.asset}: {listing.pool}")
                verdicts.append(await verify(listing, pairs, rpc, assembly.solana_programs()))
        finally:
            await transport.close()
        return verdicts
