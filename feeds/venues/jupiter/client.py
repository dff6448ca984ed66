"""Asks Jupiter for a quote or for a ready swap instruction, in either API shape.

Every answer is compared with what was asked and with the pinning setting; what does not
fit is a `RouteRefused` with its cause, never an exception. It signs and sends nothing:
`SolanaTrading.sign` judges the instruction again, byte by byte. A pool's own quote comes
first everywhere; the rate limit alone makes this a fallback (`fallback`, `sampler`).
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from arbsite.clock import Clock
from arbsite.errors import FeedCorrupt, NotSent
from feeds.venues.backoff import Jitter
from feeds.venues.base import SwapRoute
from feeds.venues.jupiter import wire
from feeds.venues.jupiter.limiter import RequestBudget
from feeds.venues.jupiter.quotes import ApiShape, Cause, RouteAsk, RouteQuote, RouteRefused
from feeds.venues.transport import HttpReply, Transport

_MS = 1_000_000
_OK, _TOO_MANY = 200, 429
_CREATE_IDEMPOTENT = b"\x01"
_NO_ROUTE_WORDS = ("no route", "could_not_find_any_route", "could not find any route")


class ChainHead(Protocol):
    """What the desk's own nodes say of the chain; 0 where nothing is known yet."""

    @property
    def slot(self) -> int: ...

    @property
    def last_valid_height(self) -> int:
        """The newest blockhash's last valid block height."""


class JupiterSettings(msgspec.Struct, frozen=True):
    """What the operator chooses. `labels` are Jupiter's names of the allowed exchanges.

    With `is_pinned` a route must go through exactly the asked pool in one hop.
    `own_accounts` may be named by a set-up instruction that creates them if missing: they
    are kept open, so it is left out of the transaction.
    """

    url: str
    taker: str
    labels: frozenset[str]
    own_accounts: frozenset[str]
    shape: ApiShape = "v2"
    is_pinned: bool = True
    per_second: float = 0.5
    timeout_s: float = 2.0
    slippage_bps: int = 20
    max_age_ms: int = 1_500
    max_lag_slots: int = 8
    max_lag_blocks: int = 40
    max_accounts: int = 28
    associated_token: str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105


class _Refused(Exception):
    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = RouteRefused(cause, detail)


class JupiterClient:
    """One account of the API. `counts` has one entry per outcome: ok or a refusal's cause."""

    def __init__(
        self,
        transport: Transport,
        settings: JupiterSettings,
        *,
        clock: Clock,
        rng: Jitter,
        chain: ChainHead,
        api_key: str = "",
    ) -> None:
        self.settings = settings
        self.counts: Counter[str] = Counter()
        self.budget = RequestBudget(clock, rng, per_second=settings.per_second)
        self._transport = transport
        self._clock = clock
        self._chain = chain
        self._headers = {"x-api-key": api_key} if api_key else {}

    async def quote(self, ask: RouteAsk) -> RouteQuote | RouteRefused:
        """Ask for a price only."""
        return await self._counted(ask, min_out=0, needs_route=False)

    async def route(self, ask: RouteAsk, *, min_out: int) -> RouteQuote | RouteRefused:
        """Ask for a price and the instruction to sign; refused below `min_out` raw units."""
        return await self._counted(ask, min_out=min_out, needs_route=True)

    def is_fresh(self, quote: RouteQuote) -> bool:
        """Whether a quote may still be used now."""
        age_ns = self._clock.now_ns() - quote.asked_at_ns
        return 0 <= age_ns <= self.settings.max_age_ms * _MS

    async def _counted(
        self, ask: RouteAsk, *, min_out: int, needs_route: bool
    ) -> RouteQuote | RouteRefused:
        try:
            found: RouteQuote | RouteRefused = await self._ask(ask, min_out, needs_route)
        except _Refused as refused:
            found = refused.reason
        except FeedCorrupt as error:
            found = RouteRefused("corrupt", str(error))
        self.counts[found.cause if isinstance(found, RouteRefused) else "ok"] += 1
        return found

    async def _ask(self, ask: RouteAsk, min_out: int, needs_route: bool) -> RouteQuote:
        settings = self.settings
        needs_two = needs_route and settings.shape == "v1"
        if (wait_s := self.budget.wait_s(2 if needs_two else 1)) > 0:
            raise _Refused("throttled", f"{wait_s:.1f} s to wait")
        asked_at_ns, started_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        body = await self._get(ask)
        answer = wire.decode_quote(body)
        self._check(ask, answer)
        self._check_lag(answer, body)
        amount_out = wire.raw_of(answer.out_amount)
        quote = RouteQuote(
            ask=ask,
            amount_out=amount_out,
            min_out=amount_out * (10_000 - settings.slippage_bps) // 10_000,
            route_id=wire.route_id(answer.route_plan),
            dexes=tuple(step.swap_info.label for step in answer.route_plan),
            pools=tuple(step.swap_info.amm_key for step in answer.route_plan),
            context_slot=answer.context_slot,
            asked_at_ns=asked_at_ns,
            latency_ms=(self._clock.monotonic_ns() - started_ns) / _MS,
        )
        if not needs_route:
            return quote
        if quote.min_out < min_out:
            raise _Refused("below_minimum", f"{quote.min_out} of {min_out}")
        if settings.shape == "v1":
            body = await self._post_instructions(body)
        route = self._route_of(quote, wire.decode(body, wire.WireInstructions))
        latency_ms = (self._clock.monotonic_ns() - started_ns) / _MS
        quote = msgspec.structs.replace(quote, route=route, latency_ms=latency_ms)
        if not self.is_fresh(quote):
            raise _Refused("stale", f"answered after {latency_ms:.0f} ms")
        return quote

    # ---------------------------------------------------------------- requests

    async def _get(self, ask: RouteAsk) -> bytes:
        settings = self.settings
        query = {
            "inputMint": ask.mint_in,
            "outputMint": ask.mint_out,
            "amount": str(ask.amount_in),
            "slippageBps": str(settings.slippage_bps),
            "dexes": ",".join(sorted(settings.labels)),
            "maxAccounts": str(settings.max_accounts),
        }
        if settings.shape == "v1":
            query |= {"swapMode": "ExactIn", "onlyDirectRoutes": "true"}
            path = "/swap/v1/quote"
        else:
            query |= {"taker": settings.taker, "mode": "fast", "wrapAndUnwrapSol": "false"}
            path = "/swap/v2/build"
        return await self._request("GET", f"{path}?{urlencode(query)}")

    async def _post_instructions(self, quote: bytes) -> bytes:
        body = {
            "quoteResponse": msgspec.Raw(quote),
            "userPublicKey": self.settings.taker,
            "wrapAndUnwrapSol": False,
            "useSharedAccounts": False,
        }
        return await self._request("POST", "/swap/v1/swap-instructions", msgspec.json.encode(body))

    async def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        headers = dict(self._headers)
        if body:
            headers["content-type"] = "application/json"
        self.budget.spend()
        try:
            reply = await self._transport.http(
                method,
                self.settings.url + path,
                headers=headers,
                body=body,
                timeout_s=self.settings.timeout_s,
            )
        except TimeoutError as error:
            raise _Refused("timeout", f"after {self.settings.timeout_s} s") from error
        except (NotSent, ConnectionError) as error:
            raise _Refused("down", str(error)[:200]) from error
        return self._body_of(reply)

    def _body_of(self, reply: HttpReply) -> bytes:
        if reply.status == _OK:
            self.budget.note_answered()
            return reply.body
        if reply.status == _TOO_MANY:
            self.budget.note_refused()
            raise _Refused("rate_limited")
        if not 400 <= reply.status < 500:
            raise _Refused("down", f"HTTP {reply.status}")
        try:
            said = wire.decode(reply.body, wire.WireError)
        except FeedCorrupt:
            said = wire.WireError()
        text = f"{said.error} {said.message} {said.error_code}".strip()[:200]
        is_no_route = any(word in text.lower() for word in _NO_ROUTE_WORDS)
        raise _Refused("no_route" if is_no_route else "refused", f"HTTP {reply.status} {text}")

    # ------------------------------------------------------------------ checks

    def _check(self, ask: RouteAsk, answer: wire.WireQuote) -> None:
        """Compare the answer with the ask and with the pinning setting."""
        settings = self.settings
        echoed = (answer.input_mint, answer.output_mint, answer.swap_mode, answer.slippage_bps)
        asked = (ask.mint_in, ask.mint_out, "ExactIn", settings.slippage_bps)
        if echoed != asked or wire.raw_of(answer.in_amount) != ask.amount_in:
            raise _Refused("mismatch", f"answered {echoed} of {answer.in_amount}")
        out = wire.raw_of(answer.out_amount)
        least = out * (10_000 - settings.slippage_bps) // 10_000
        # One unit of rounding is the API's own; anything more is another slippage.
        if not 0 < least <= wire.raw_of(answer.other_amount_threshold) + 1 <= out + 1:
            raise _Refused("mismatch", f"threshold {answer.other_amount_threshold} of {out}")
        if answer.platform_fee is not None and answer.platform_fee.fee_bps:
            raise _Refused("fee", f"platform fee {answer.platform_fee.fee_bps} bps")
        for step in answer.route_plan:
            if step.swap_info.label not in settings.labels:
                raise _Refused("dex_not_allowed", step.swap_info.label)
        pools = [step.swap_info.amm_key for step in answer.route_plan]
        if settings.is_pinned and pools != [ask.pool]:
            raise _Refused("pool_not_pinned", ", ".join(pools))

    def _check_lag(self, answer: wire.WireQuote, body: bytes) -> None:
        """Refuse what was quoted on a chain that our own nodes have left behind."""
        chain, settings = self._chain, self.settings
        if answer.context_slot is not None and chain.slot:
            lag = chain.slot - answer.context_slot
            if lag > settings.max_lag_slots:
                raise _Refused("stale", f"{lag} slots behind")
        if settings.shape == "v1" or not chain.last_valid_height:
            return
        built = wire.decode(body, wire.WireBuild).blockhash_with_metadata
        if built is not None:
            lag = chain.last_valid_height - built.last_valid_block_height
            if lag > settings.max_lag_blocks:
                raise _Refused("stale", f"{lag} blocks behind")

    def _route_of(self, quote: RouteQuote, answer: wire.WireInstructions) -> SwapRoute:
        extra = [*answer.other_instructions]
        extra += [one for one in (answer.cleanup_instruction, answer.tip_instruction) if one]
        extra += [one for one in answer.setup_instructions if not self._is_needless(one)]
        if extra:
            raise _Refused("extra_instruction", ", ".join(one.program_id for one in extra)[:200])
        swap = answer.swap_instruction
        return SwapRoute(
            route_id=quote.route_id,
            program=swap.program_id,
            accounts=swap.route_accounts(),
            data=swap.raw_data(),
            asked_at_ns=quote.asked_at_ns,
            context_slot=quote.context_slot,
        )

    def _is_needless(self, instruction: wire.WireInstruction) -> bool:
        """Whether it would only create one of our own accounts that is open anyway."""
        accounts = instruction.route_accounts()
        return (
            instruction.program_id == self.settings.associated_token
            and instruction.raw_data() == _CREATE_IDEMPOTENT
            and len(accounts) > 1
            and accounts[1].address in self.settings.own_accounts
        )
