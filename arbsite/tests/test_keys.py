"""Keys are RFC 4122 names (version 5), whatever works their digest out."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from arbsite import keys


@given(
    symbol=st.text(),
    pool=st.text(),
    checksum=st.integers(),
    at_ns=st.integers(),
    slot=st.integers(),
)
def test_a_key_is_the_uuid5_of_its_parts(
    symbol: str, pool: str, checksum: int, at_ns: int, slot: int
) -> None:
    found = keys.window_id(symbol, pool, "buy_dex_sell_cex", checksum, at_ns, slot)
    parts = ("window", symbol, pool, "buy_dex_sell_cex", str(checksum), str(at_ns), str(slot))
    assert found == uuid.uuid5(keys.NAMESPACE, "\x1f".join(parts))
    assert (found.version, found.variant) == (5, uuid.RFC_4122)
    assert keys.intent_key(found, 3) == uuid.uuid5(keys.NAMESPACE, f"intent\x1f{found}\x1f3")
