"""Signatures against the published vector, nonces against a clock that misbehaves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsite.clock import ManualClock
from arbsite.errors import SetupError
from feeds.venues.kraken.auth import Credentials, NonceSource

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
BODY = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
SIGNATURE = (
    "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
)


def test_the_published_vector() -> None:
    credentials = Credentials("key", SECRET)
    assert credentials.sign("/0/private/AddOrder", "1616492376594", BODY) == SIGNATURE


def test_the_signature_covers_path_nonce_and_body() -> None:
    credentials = Credentials("key", SECRET)
    assert credentials.sign("/0/private/Balance", "1616492376594", BODY) != SIGNATURE
    assert credentials.sign("/0/private/AddOrder", "1616492376595", BODY) != SIGNATURE
    assert credentials.sign("/0/private/AddOrder", "1616492376594", BODY + b"0") != SIGNATURE


def test_secrets_do_not_show() -> None:
    shown = repr(Credentials("a-key", SECRET))
    assert "a-key" not in shown
    assert SECRET[:8] not in shown


@pytest.mark.parametrize(("key", "secret"), [("key", "not base64!"), ("", SECRET), ("key", "")])
def test_unusable_credentials_are_a_setup_error(key: str, secret: str) -> None:
    with pytest.raises(SetupError):
        Credentials(key, secret)


@given(st.lists(st.integers(-10_000_000_000, 10_000_000_000), max_size=30))
def test_nonces_rise_whatever_the_clock_does(steps_ns: list[int]) -> None:
    clock = ManualClock()
    source = NonceSource(clock)
    nonces = [source.take()]
    for step_ns in steps_ns:
        clock.advance_ns(step_ns)
        nonces.append(source.take())
    assert all(later > earlier for earlier, later in itertools.pairwise(nonces))
    assert nonces[0] == 1_700_000_000_000_000_000
