"""The simulated Jupiter API: v1 quote + swap-instructions, v2 build, limits and faults.

An `HttpServer` over the simulated chain's pools; it answers with what they were at its
context slot. Requests are counted per API key over a sliding window, as the real API does.
Not here: prices and instructions (plans), execution (program).

Knobs
    jupiter.down            flag   no request is taken
    jupiter.error_p         prob   a request is answered 500
    jupiter.timeout_p       prob   a request is never answered
    jupiter.rate_limited_p  prob   a request is answered 429
    jupiter.stale_slots     number quotes are as of this many slots ago
    jupiter.price_bias_bps  number quotes promise this much more than the pool gives
    jupiter.hostile         word   none | other_target | platform_fee | extra_transfer |
                                   unknown_program | low_minimum | more_input: what is wrong
                                   with the instruction that is handed out
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections import deque
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec

from arbsite.clock import Clock
from feeds.market.pools import Pool
from feeds.sim import seeding
from feeds.sim.faults import FaultBoard, FaultValue, RandomSource
from feeds.sim.hosting import Answer
from feeds.sim.jupiter import hostile
from feeds.sim.jupiter.plans import (
    Form,
    Hop,
    InstructionJson,
    PastLedger,
    best_hop,
    open_account_instruction,
    pools_of,
    swap_instruction,
)
from feeds.sim.kraken.latency import Latency
from feeds.sim.solana.blocks import BLOCKHASH_BLOCKS
from feeds.sim.solana.chain import SolanaChain

JUPITER_KNOBS: dict[str, FaultValue] = {
    "jupiter.down": False,
    "jupiter.error_p": 0.0,
    "jupiter.timeout_p": 0.0,
    "jupiter.rate_limited_p": 0.0,
    "jupiter.stale_slots": 0,
    "jupiter.price_bias_bps": 0.0,
    "jupiter.hostile": hostile.NONE,
}
API_LATENCY = Latency(p50_ms=70.0, p95_ms=180.0, stall_p=0.0)
KEYLESS_PER_MINUTE = 30
KEYED_PER_MINUTE = 600

_JSON = "application/json"
_WINDOW_NS = 60 * 10**9
_LONGEST_S = 60.0
_MAX_SLIPPAGE_BPS = 10_000


class _BadRequest(Exception):
    """A 400 with the API's words."""


class _Terms(msgspec.Struct, frozen=True):
    """What an instruction is written from."""

    pool: Pool
    a_to_b: bool
    amount_in: int
    quoted_out: int
    slippage_bps: int


class _HopBack(msgspec.Struct, rename="camel"):
    amm_key: str


class _PlanBack(msgspec.Struct, rename="camel"):
    swap_info: _HopBack


class _QuoteBack(msgspec.Struct, rename="camel"):
    """What swap-instructions reads of the quote it is handed back."""

    input_mint: str
    output_mint: str
    in_amount: str
    out_amount: str
    slippage_bps: int
    route_plan: list[_PlanBack]


class _SwapAsk(msgspec.Struct, rename="camel"):
    quote_response: _QuoteBack
    user_public_key: str
    wrap_and_unwrap_sol: bool = True
    use_shared_accounts: bool = True


class JupiterServer:
    """The API of one world; shares its fault board."""

    def __init__(
        self,
        chain: SolanaChain,
        faults: FaultBoard,
        clock: Clock,
        rng: RandomSource,
        latency: Latency = API_LATENCY,
    ) -> None:
        self.requests = 0
        self._chain = chain
        self._faults = faults
        self._clock = clock
        self._rng = rng
        self._latency = latency
        self._sent: dict[str, deque[int]] = {}
        faults.declare(JUPITER_KNOBS, shots=frozenset())

    async def http(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; ConnectionError while the API is down."""
        faults = self._faults
        if faults.is_on("jupiter.down"):
            raise ConnectionError("jupiter is down")
        self.requests += 1
        await asyncio.sleep(self._latency.round_trip_s(self._rng))
        if faults.strikes("jupiter.timeout_p", self._rng):
            await asyncio.sleep(_LONGEST_S)
            raise ConnectionError("gave up")
        if faults.strikes("jupiter.error_p", self._rng):
            return 500, b'{"error":"internal"}', _JSON
        key = headers.get("x-api-key", "")
        if not self._take(key) or faults.strikes("jupiter.rate_limited_p", self._rng):
            return 429, b'{"code":429,"message":"Rate limit exceeded"}', _JSON
        parts = urlsplit(path)
        try:
            if (method, parts.path) == ("GET", "/swap/v1/quote"):
                return self._answer(self._quote(parse_qs(parts.query)))
            if (method, parts.path) == ("POST", "/swap/v1/swap-instructions"):
                return self._answer(self._instructions(body))
            if (method, parts.path) == ("GET", "/swap/v2/build"):
                return self._answer(self._build(parse_qs(parts.query)))
        except _BadRequest as bad:
            return 400, msgspec.json.encode({"error": str(bad)}), _JSON
        return 404, b'{"error":"Not found"}', _JSON

    def _take(self, key: str) -> bool:
        """Count a request of the account; False when it is over its limit."""
        now_ns = self._clock.monotonic_ns()
        sent = self._sent.setdefault(key, deque())
        while sent and now_ns - sent[0] >= _WINDOW_NS:
            sent.popleft()
        if len(sent) >= (KEYED_PER_MINUTE if key else KEYLESS_PER_MINUTE):
            return False
        sent.append(now_ns)
        return True

    def _answer(self, value: dict[str, object]) -> Answer:
        return 200, msgspec.json.encode(value), _JSON

    # ------------------------------------------------------------------ quotes

    @property
    def _slot(self) -> int:
        """The slot that is quoted: the newest block's, or older when the knob says so."""
        asked = self._chain.newest.slot - int(self._faults.number("jupiter.stale_slots"))
        return max(asked, self._chain.block_at(0).slot)  # nothing is kept from before that

    def _hop(self, query: Mapping[str, list[str]]) -> tuple[Hop, int, int]:
        """The best hop of a query, the output promised, and the slippage asked."""
        mint_in, mint_out = _one(query, "inputMint"), _one(query, "outputMint")
        amount = _number(_one(query, "amount"))
        slippage_bps = _number(_one(query, "slippageBps", "50"))
        if not amount or slippage_bps > _MAX_SLIPPAGE_BPS:
            raise _BadRequest("Invalid amount or slippageBps")
        labels = frozenset(filter(None, _one(query, "dexes", "").split(",")))
        ledger = PastLedger(self._chain.bank, self._slot)
        now_s = self._clock.now_ns() // 10**9
        found = best_hop(
            ledger, pools_of(self._chain.bank), mint_in, mint_out, amount, labels, now_s
        )
        if found is None:
            raise _BadRequest("No routes found")
        bias = self._faults.number("jupiter.price_bias_bps")
        return found, math.floor(found.swap.amount_out * (1 + bias / 10_000)), slippage_bps

    def _quote(self, query: Mapping[str, list[str]]) -> dict[str, object]:
        if _one(query, "swapMode", "ExactIn") != "ExactIn":
            raise _BadRequest("ExactOut is not served by this world")
        hop, out, slippage_bps = self._hop(query)
        return self._quote_json(hop, out, slippage_bps) | {
            "contextSlot": self._slot,
            "timeTaken": 0.004,
        }

    def _quote_json(self, hop: Hop, out: int, slippage_bps: int) -> dict[str, object]:
        pool, swap = hop.pool, hop.swap
        mints = (pool.mint_a, pool.mint_b) if hop.a_to_b else (pool.mint_b, pool.mint_a)
        info = {
            "ammKey": pool.address,
            "label": hop.label,
            "inputMint": mints[0],
            "outputMint": mints[1],
            "inAmount": str(swap.amount_in),
            "outAmount": str(out),
        }
        return {
            "inputMint": mints[0],
            "inAmount": str(swap.amount_in),
            "outputMint": mints[1],
            "outAmount": str(out),
            "otherAmountThreshold": str(out - out * slippage_bps // 10_000),
            "swapMode": "ExactIn",
            "slippageBps": slippage_bps,
            "platformFee": None,
            "priceImpactPct": "0",
            "routePlan": [{"swapInfo": info, "percent": 100, "bps": 10_000}],
        }

    # ------------------------------------------------------------ instructions

    def _build(self, query: Mapping[str, list[str]]) -> dict[str, object]:
        hop, out, slippage_bps = self._hop(query)
        if _one(query, "wrapAndUnwrapSol", "true") != "false":
            raise _BadRequest("This world serves token accounts only: wrapAndUnwrapSol=false")
        block = self._chain.block_at(self._slot)
        blockhash = list(seeding.key_of(block.blockhash))
        terms = _Terms(hop.pool, hop.a_to_b, hop.swap.amount_in, out, slippage_bps)
        return (
            self._quote_json(hop, out, slippage_bps)
            | self._instructions_json("route_v2", terms, _one(query, "taker"))
            | {
                "tipInstruction": None,
                "addressesByLookupTableAddress": None,
                "blockhashWithMetadata": {
                    "blockhash": blockhash,
                    "lastValidBlockHeight": block.height + BLOCKHASH_BLOCKS,
                },
            }
        )

    def _instructions(self, body: bytes) -> dict[str, object]:
        try:
            ask = msgspec.json.decode(body, type=_SwapAsk)
        except msgspec.DecodeError as bad:
            raise _BadRequest(str(bad)) from bad
        quote = ask.quote_response
        if ask.wrap_and_unwrap_sol or ask.use_shared_accounts:
            raise _BadRequest("This world serves own token accounts only")
        if len(quote.route_plan) != 1 or not 0 <= quote.slippage_bps <= _MAX_SLIPPAGE_BPS:
            raise _BadRequest("Invalid quoteResponse")
        ledger = PastLedger(self._chain.bank, self._slot)
        try:
            pool = ledger.pool(quote.route_plan[0].swap_info.amm_key)
        except KeyError:
            raise _BadRequest("Unknown ammKey") from None
        terms = _Terms(
            pool, quote.input_mint == pool.mint_a, _number(quote.in_amount),
            _number(quote.out_amount), quote.slippage_bps,
        )  # fmt: skip
        return self._instructions_json("route", terms, ask.user_public_key) | {
            "addressLookupTableAddresses": []
        }

    def _instructions_json(self, form: Form, terms: _Terms, taker: str) -> dict[str, object]:
        pool = terms.pool
        try:
            swap = swap_instruction(
                form, pool, taker, a_to_b=terms.a_to_b, amount_in=terms.amount_in,
                quoted_out=terms.quoted_out, slippage_bps=terms.slippage_bps,
            )  # fmt: skip
        except ValueError as bad:
            raise _BadRequest("Invalid taker") from bad
        mint_out = pool.mint_b if terms.a_to_b else pool.mint_a
        word = str(self._faults.get("jupiter.hostile"))
        swap, others = hostile.spoil(swap, form, taker, mint_out, word)
        return {
            "computeBudgetInstructions": [],
            "setupInstructions": [_json_of(open_account_instruction(taker, mint_out))],
            "swapInstruction": _json_of(swap),
            "cleanupInstruction": None,
            "otherInstructions": [_json_of(each) for each in others],
        }


def _json_of(instruction: InstructionJson) -> dict[str, object]:
    return {
        "programId": instruction.program_id,
        "accounts": [msgspec.to_builtins(meta) for meta in instruction.accounts],
        "data": base64.b64encode(instruction.data).decode(),
    }


def _one(query: Mapping[str, list[str]], name: str, default: str | None = None) -> str:
    values = query.get(name)
    if values:
        return values[0]
    if default is None:
        raise _BadRequest(f"missing {name}")
    return default


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise _BadRequest(f"not a number: {text[:24]}")
    return int(text)
