"""The bound quote of an intent: what exactly the pool leg was promised, and until when.

Derived, not stored twice: the intent in its opportunity row holds every input. Published
on `dex.boundQuote.<asset>` with each decision and shown with the opportunity. Pure.
"""

from __future__ import annotations

import msgspec

from arbsite.events import BoundQuote
from trading.intent import MAX_INTENT_AGE_NS, Intent


def bound_quote(intent: Intent) -> BoundQuote:
    """Return the pool leg of `intent` as a quote that binds until its fuse has burnt."""
    quote = BoundQuote(
        intent_key=str(intent.intent_key),
        asset=intent.asset,
        side="sell" if intent.dex_exact_in else "buy",
        pool=intent.spec.pool,
        source=intent.quote_source,
        base_raw=intent.base_raw,
        quote_raw=intent.dex_expected_quote_raw,
        threshold_raw=intent.dex_threshold_raw,
        slippage_cap_bps=format(intent.slippage_cap_bps, "f"),
        slot=intent.pool_slot,
        at_ns=intent.decided_ns,
        expires_ns=intent.decided_ns + MAX_INTENT_AGE_NS,
    )
    route = intent.route
    if isinstance(route, msgspec.UnsetType):
        return quote
    return msgspec.structs.replace(
        quote,
        expires_ns=min(quote.expires_ns, route.expires_ns),
        route_id=route.route.route_id,
        asked_at_ns=route.route.asked_at_ns,
        latency_ms=route.latency_ms,
        delta_bps=route.delta_bps,
    )
