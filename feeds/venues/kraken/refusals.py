"""Which of Kraken's error texts prove that an order did not execute.

One table, read top to bottom, first match wins. `definite` is a refusal by the engine or
the gate before it: final. `ambiguous`, and every text not listed, may hide an executed
order: reconcile, never resend. Called by `trading` for sends; reads treat any error alike.
"""

from __future__ import annotations

from typing import Literal

Outcome = Literal["definite", "ambiguous"]

ANY = "*"

# (category, start of the detail or ANY, outcome). The rows of the tables in the venue's
# documentation that no rule below covers by family are spelled out, so that a reader
# sees what was decided and not only what was forgotten.
REFUSALS: tuple[tuple[str, str, Outcome], ...] = (
    ("EOrder", ANY, "definite"),
    ("EAPI", ANY, "definite"),
    ("EGeneral", "Invalid arguments", "definite"),
    ("EGeneral", "Permission denied", "definite"),
    ("EService", "Deadline elapsed", "definite"),
    ("EGeneral", "Internal error", "ambiguous"),
    ("EGeneral", "Temporary lockout", "ambiguous"),
    ("EService", "Unavailable", "ambiguous"),
    ("EService", "Busy", "ambiguous"),
    ("EService", "Throttled", "ambiguous"),
    ("EService", "Market in cancel_only mode", "ambiguous"),
    ("EService", "Market in post_only mode", "ambiguous"),
    ("EAuth", ANY, "ambiguous"),
    ("EAccount", ANY, "ambiguous"),
    ("EQuery", ANY, "ambiguous"),
    ("EFunding", ANY, "ambiguous"),
    ("ESession", ANY, "ambiguous"),
)

_CREDENTIAL_FAULTS = (
    "EAPI:Invalid key",
    "EAPI:Invalid signature",
    "EGeneral:Permission denied",
    "EGeneral:Temporary lockout",
    "EAccount:Invalid permissions",
)


def _split(text: str) -> tuple[str, str]:
    category, _, detail = text.strip().partition(":")
    return category.strip(), detail.strip()


def outcome_of(text: str) -> Outcome:
    """Classify one error text; unlisted texts are ambiguous. Source: execution protocol §2."""
    category, detail = _split(text)
    for row_category, row_detail, outcome in REFUSALS:
        if category == row_category and (row_detail == ANY or detail.startswith(row_detail)):
            return outcome
    return "ambiguous"


def is_credential_fault(text: str) -> bool:
    """Whether the key itself is refused: trying again soon leads to a lockout."""
    category, detail = _split(text)
    return f"{category}:{detail}".startswith(_CREDENTIAL_FAULTS)


def is_session_fault(text: str) -> bool:
    """Whether the socket's token is no longer accepted: only a new connection helps."""
    category, detail = _split(text)
    return category == "ESession" or (category, detail) == ("EAPI", "Invalid key")
