"""Row by row: which error text proves that an order did not execute."""

from __future__ import annotations

import pytest

from feeds.venues.kraken.refusals import (
    ANY,
    REFUSALS,
    is_credential_fault,
    is_session_fault,
    outcome_of,
)

DEFINITE = [
    "EOrder:Insufficient funds", "EOrder:Order minimum not met", "EOrder:Cost minimum not met",
    "EOrder:Tick size check failed", "EOrder:Invalid price", "EOrder:Rate limit exceeded",
    "EOrder:Domain rate limit exceeded", "EOrder:Orders limit exceeded", "EOrder:Unknown order",
    "EOrder:Post only order", "EOrder:Positions limit exceeded",
    "EOrder:Margin allowance exceeded", "EService:Deadline elapsed", "EAPI:Invalid key",
    "EAPI:Invalid signature", "EAPI:Invalid nonce", "EAPI:Rate limit exceeded",
    "EGeneral:Invalid arguments", "EGeneral:Invalid arguments:volume",
    "EGeneral:Permission denied", "EService: Deadline elapsed",
]  # fmt: skip
AMBIGUOUS = [
    "EService:Unavailable", "EService:Busy", "EService: Throttled: 1700000000",
    "EService:Market in cancel_only mode", "EService:Market in post_only mode",
    "EGeneral:Internal error", "EGeneral:Internal error:123", "EGeneral:Temporary lockout",
    "EAuth:Rate limit exceeded", "EAccount:Invalid permissions", "EQuery:Unknown asset pair",
    "EFunding:Max fee exceeded", "ESession:Invalid session", "Exceeded msg rate",
    "Currency pair not supported XBT/USD", "", "<html>502</html>", "eorder:insufficient funds",
    "EOrders:Insufficient funds", "EGeneral:Something new",
    "Trading EOrder:Insufficient funds",
]  # fmt: skip


@pytest.mark.parametrize("text", DEFINITE)
def test_definite_refusals(text: str) -> None:
    assert outcome_of(text) == "definite"


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_everything_else_may_hide_an_execution(text: str) -> None:
    assert outcome_of(text) == "ambiguous"


@pytest.mark.parametrize(("category", "detail", "outcome"), REFUSALS)
def test_each_row_decides_the_texts_it_names(category: str, detail: str, outcome: str) -> None:
    named = "Anything at all" if detail == ANY else detail
    assert outcome_of(f"{category}:{named}") == outcome


def test_only_the_five_families_of_the_protocol_are_definite() -> None:
    definite = {
        (category, detail) for category, detail, outcome in REFUSALS if outcome == "definite"
    }
    assert definite == {
        ("EOrder", ANY),
        ("EAPI", ANY),
        ("EGeneral", "Invalid arguments"),
        ("EGeneral", "Permission denied"),
        ("EService", "Deadline elapsed"),
    }


def test_a_refused_key_is_not_tried_again_at_once() -> None:
    assert is_credential_fault("EAPI:Invalid key")
    assert is_credential_fault("EGeneral:Temporary lockout")
    assert not is_credential_fault("EAPI:Rate limit exceeded")
    assert not is_credential_fault("EService:Busy")


def test_a_refused_session_needs_a_new_connection() -> None:
    assert is_session_fault("ESession:Invalid session")
    assert is_session_fault("EAPI:Invalid key")
    assert not is_session_fault("EOrder:Insufficient funds")
    assert not is_session_fault("")
