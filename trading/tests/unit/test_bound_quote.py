"""The bound quote says exactly what the intent binds, for as long as it binds."""

from __future__ import annotations

import pytest

from arbsite.bus import decode, encode
from trading.bound_quote import bound_quote
from trading.execution.ports import Protocolled
from trading.intent import MAX_INTENT_AGE_NS
from trading.tests.intents import make_intent


@pytest.mark.parametrize(("exact_in", "side"), [(True, "sell"), (False, "buy")])
def test_it_says_what_the_intent_binds(exact_in: bool, side: str) -> None:
    intent = make_intent(1, dex_exact_in=exact_in)
    quote = bound_quote(intent)
    assert quote.side == side
    assert (quote.base_raw, quote.quote_raw, quote.threshold_raw) == (
        intent.base_raw, intent.dex_expected_quote_raw, intent.dex_threshold_raw,
    )  # fmt: skip
    assert (quote.slot, quote.source) == (intent.pool_slot, "pool")
    assert decode(encode(quote)) == quote


def test_it_expires_with_the_fuse_of_the_send() -> None:
    intent = make_intent(1)
    assert bound_quote(intent).expires_ns - intent.decided_ns == MAX_INTENT_AGE_NS
    assert Protocolled().max_intent_age_s * 1e9 == MAX_INTENT_AGE_NS
