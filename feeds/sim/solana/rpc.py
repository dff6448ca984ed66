"""The JSON-RPC methods of one simulated node, in the shapes real nodes answer with.

Pure request -> answer over a `NodeView`; batches, unknown methods and bad parameters are
refused as nodes do. Not here: sockets, subscriptions, faults of transport (solana_server).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from arbsite.units import text_from_int
from feeds.sim import seeding
from feeds.sim.faults import FaultBoard, RandomSource
from feeds.sim.solana.accounts import Ledger, Token, encode
from feeds.sim.solana.blocks import BLOCKHASH_BLOCKS, STATUS_CACHE_SLOTS
from feeds.sim.solana.chain import SolanaChain
from feeds.sim.solana.params import (
    Config,
    RpcError,
    address_param,
    commitment_of,
    config_of,
    invalid_params,
    param_at,
    slice_of,
    wire_bytes,
)
from feeds.sim.solana.runtime import Meta, NotChargeable
from feeds.sim.solana.shapes import meta_json, transaction_json
from feeds.sim.solana.transactions import BadSignature, BadTransaction, Transaction, parse
from feeds.sim.solana.view import Commitment, NodeView, account_json

API_VERSION = "3.0.10"
_MAX_ACCOUNTS = 100
_MAX_STATUSES = 256
_MAX_FEE_ACCOUNTS = 128
_HEALTHY_LAG_SLOTS = 128


class RpcNode:
    """The methods of one node."""

    def __init__(self, view: NodeView, faults: FaultBoard, rng: RandomSource) -> None:
        self.view = view
        self._faults = faults
        self._rng = rng
        self._methods: dict[str, Callable[[list[object]], object]] = {
            "getAccountInfo": self._account_info,
            "getBalance": self._balance,
            "getBlockHeight": self._block_height,
            "getBlockTime": self._block_time,
            "getEpochInfo": self._epoch_info,
            "getGenesisHash": lambda _: seeding.address_of("genesis"),
            "getHealth": self._health,
            "getLatestBlockhash": self._latest_blockhash,
            "getMultipleAccounts": self._multiple_accounts,
            "getRecentPrioritizationFees": self._priority_fees,
            "getSignatureStatuses": self._statuses,
            "getSlot": self._slot,
            "getTokenAccountBalance": self._token_balance,
            "getTransaction": self._transaction,
            "getVersion": lambda _: {"feature-set": 3640012085, "solana-core": API_VERSION},
            "isBlockhashValid": self._is_blockhash_valid,
            "sendTransaction": self._send,
            "simulateTransaction": self._simulate,
        }

    def answer(self, request: object) -> dict[str, object]:
        """Answer one request object."""
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failed(None, RpcError(-32600, "Invalid request"))
        number, params = request.get("id"), request.get("params", [])
        method = self._methods.get(request["method"])
        try:
            if method is None:
                raise RpcError(-32601, "Method not found")
            if not isinstance(params, list):
                raise invalid_params("expected an array")
            return {"jsonrpc": "2.0", "result": method(params), "id": number}
        except RpcError as error:
            return _failed(number, error)

    def answer_bytes(self, body: bytes) -> bytes:
        """Answer a request body: one object or a batch."""
        try:
            request = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return msgspec.json.encode(_failed(None, RpcError(-32700, "Parse error")))
        if isinstance(request, list):
            return msgspec.json.encode([self.answer(each) for each in request])
        return msgspec.json.encode(self.answer(request))

    # ------------------------------------------------------------- reading

    def _context(self, config: Config, commitment: Commitment) -> dict[str, object]:
        """The `context` of an answer; refuses when the node has not reached the asked slot."""
        slot = self.view.slot_at(commitment)
        wanted = config.get("minContextSlot")
        if isinstance(wanted, int) and slot < wanted:
            raise RpcError(
                -32016, "Minimum context slot has not been reached", {"contextSlot": slot}
            )
        return {"apiVersion": API_VERSION, "slot": slot}

    def _answer_value(
        self, config: Config, value: Callable[[Commitment], object]
    ) -> dict[str, Any]:
        commitment = commitment_of(config)
        context = self._context(config, commitment)
        return {"context": context, "value": value(commitment)}

    def _account_info(self, params: list[object]) -> object:
        address, config = address_param(param_at(params, 0)), config_of(params, 1)
        part = slice_of(config)
        return self._answer_value(
            config, lambda level: account_json(self.view.account(address, level), part)
        )

    def _multiple_accounts(self, params: list[object]) -> object:
        asked, config = param_at(params, 0), config_of(params, 1)
        if not isinstance(asked, list) or len(asked) > _MAX_ACCOUNTS:
            raise invalid_params(f"Too many inputs provided; max {_MAX_ACCOUNTS}")
        addresses = [address_param(each) for each in asked]
        part, old = slice_of(config), self.view.stale_slots
        answer = self._answer_value(
            config if not old else {**config, "minContextSlot": None},
            lambda level: [
                account_json(self.view.account(each, level, old), part) for each in addresses
            ],
        )
        if old:
            answer["context"]["slot"] -= old
        return answer

    def _balance(self, params: list[object]) -> object:
        address = address_param(param_at(params, 0))

        def lamports(level: Commitment) -> int:
            account = self.view.account(address, level)
            return account.lamports if account else 0

        return self._answer_value(config_of(params, 1), lamports)

    def _token_balance(self, params: list[object]) -> object:
        address = address_param(param_at(params, 0))

        def amount(level: Commitment) -> object:
            state = self.view.chain.bank.at(address, self.view.slot_at(level))
            if not isinstance(state, Token):
                raise invalid_params("could not find account")
            decimals = seeding.decimals_of(state.mint)
            text = text_from_int(state.raw, decimals)
            return {
                "amount": str(state.raw),
                "decimals": decimals,
                "uiAmount": float(text),
                "uiAmountString": text.rstrip("0").rstrip("."),
            }

        return self._answer_value(config_of(params, 1), amount)

    def _slot(self, params: list[object]) -> object:
        config = config_of(params, 0)
        return self._context(config, commitment_of(config))["slot"]

    def _block_height(self, params: list[object]) -> object:
        config = config_of(params, 0)
        commitment = commitment_of(config)
        self._context(config, commitment)
        return self.view.block(commitment).height

    def _block_time(self, params: list[object]) -> object:
        slot = param_at(params, 0)
        if not isinstance(slot, int) or slot > self.view.slot_at("confirmed"):
            raise RpcError(-32004, f"Block not available for slot {slot}")
        block = self.view.chain.block_at(slot)
        if block.slot != slot:
            raise RpcError(-32007, f"Slot {slot} was skipped, or missing in ledger")
        return block.at_ns // 10**9

    def _epoch_info(self, params: list[object]) -> object:
        block = self.view.block(commitment_of(config_of(params, 0)))
        epoch, index = divmod(block.slot, 432_000)
        return {
            "absoluteSlot": block.slot,
            "blockHeight": block.height,
            "epoch": epoch,
            "slotIndex": index,
            "slotsInEpoch": 432_000,
            "transactionCount": self.view.chain.landed_count,
        }

    def _health(self, _: list[object]) -> object:
        behind = self.view.lag_slots
        if behind > _HEALTHY_LAG_SLOTS:
            raise RpcError(-32005, f"Node is behind by {behind} slots", {"numSlotsBehind": behind})
        return "ok"

    def _latest_blockhash(self, params: list[object]) -> object:
        def newest(level: Commitment) -> object:
            block = self.view.block(level)
            return {
                "blockhash": block.blockhash,
                "lastValidBlockHeight": block.height + BLOCKHASH_BLOCKS,
            }

        return self._answer_value(config_of(params, 0), newest)

    def _is_blockhash_valid(self, params: list[object]) -> object:
        asked = str(param_at(params, 0))
        return self._answer_value(
            config_of(params, 1),
            lambda level: self.chain.is_blockhash_valid(asked, self.view.block(level).height),
        )

    def _priority_fees(self, params: list[object]) -> object:
        asked = params[0] if params else []
        if not isinstance(asked, list) or len(asked) > _MAX_FEE_ACCOUNTS:
            raise invalid_params(f"Too many inputs provided; max {_MAX_FEE_ACCOUNTS}")
        for each in asked:
            address_param(each)
        first = self.view.slot - STATUS_CACHE_SLOTS + 1
        return [
            {"slot": block.slot, "prioritizationFee": block.priority_price if asked else 0}
            for block in self.chain.blocks_since(first)
            if block.slot <= self.view.slot
        ]

    @property
    def chain(self) -> SolanaChain:
        """The chain this node looks at."""
        return self.view.chain

    # ------------------------------------------------------------- transactions

    def _statuses(self, params: list[object]) -> object:
        asked, config = param_at(params, 0), config_of(params, 1)
        if not isinstance(asked, list) or len(asked) > _MAX_STATUSES:
            raise invalid_params(f"Too many inputs provided; max {_MAX_STATUSES}")
        has_history = bool(config.get("searchTransactionHistory", False))
        value = [self._status(str(signature), has_history) for signature in asked]
        return {"context": {"apiVersion": API_VERSION, "slot": self.view.slot}, "value": value}

    def _status(self, signature: str, has_history: bool) -> object:
        record = self.view.record(signature, "processed")
        if record is None:
            return None
        age = self.view.slot - record.slot
        if age > STATUS_CACHE_SLOTS and not has_history:
            return None
        level, error = self.view.commitment_of(record.slot), record.meta.error
        return {
            "slot": record.slot,
            "confirmations": None if level == "finalized" else age,
            "err": error,
            "status": {"Ok": None} if error is None else {"Err": error},
            "confirmationStatus": level,
        }

    def _transaction(self, params: list[object]) -> object:
        config = params[1] if len(params) > 1 else None
        options: Config = {"encoding": config} if isinstance(config, str) else config_of(params, 1)
        level = commitment_of(options)
        if level == "processed":
            raise invalid_params("Method does not support commitment below `confirmed`")
        record = self.view.record(str(param_at(params, 0)), level)
        if record is None:
            return None
        transaction = parse(record.raw)
        if transaction.is_v0 and options.get("maxSupportedTransactionVersion") is None:
            raise RpcError(
                -32015,
                "Transaction version (0) is not supported by the requesting client. Please try "
                "the request again with the following configuration parameter: "
                '"maxSupportedTransactionVersion": 0',
            )
        return {
            "slot": record.slot,
            "blockTime": record.block_time_s,
            "meta": meta_json(record.meta),
            "transaction": transaction_json(transaction, str(options.get("encoding", "json"))),
            "version": 0 if transaction.is_v0 else "legacy",
        }

    def _send(self, params: list[object]) -> object:
        config = config_of(params, 1)
        raw = wire_bytes(param_at(params, 0), config)
        try:
            transaction = parse(raw)
        except BadSignature as bad:
            raise RpcError(-32003, str(bad)) from bad
        except BadTransaction as bad:
            raise invalid_params(str(bad)) from bad
        self._context(config, "processed")
        if not config.get("skipPreflight", False):
            self._preflight(transaction)
        if not self._faults.strikes("solana.drop_tx_p", self._rng):
            self.chain.submit(raw, has_retries=config.get("maxRetries") != 0)
        return transaction.signature

    def _preflight(self, transaction: Transaction) -> None:
        result = self._simulation(transaction, self.view.block("processed").height)
        error = result["err"]
        if error is not None:
            message = f"Transaction simulation failed: {_error_text(error)}"
            raise RpcError(-32002, message, result)

    def _simulate(self, params: list[object]) -> object:
        config = config_of(params, 1)
        raw = wire_bytes(param_at(params, 0), config)
        try:
            transaction = parse(raw, is_verified=bool(config.get("sigVerify", False)))
        except BadSignature as bad:
            raise RpcError(-32003, str(bad)) from bad
        except BadTransaction as bad:
            raise invalid_params(str(bad)) from bad
        height = None
        if not config.get("replaceRecentBlockhash", False):
            height = self.view.block("processed").height
        context = self._context(config, "processed")
        asked = config.get("accounts")
        listed = asked.get("addresses", []) if isinstance(asked, dict) else []
        addresses = [address_param(each) for each in listed]
        return {"context": context, "value": self._simulation(transaction, height, addresses)}

    def _simulation(
        self, transaction: Transaction, height: int | None, addresses: Sequence[str] = ()
    ) -> dict[str, object]:
        """Result of running on the newest state; `height` None skips the blockhash check.

        `addresses` are shown as the transaction leaves them.
        """
        error: object = None
        meta: Meta | None = None
        left: Ledger = self.chain.bank
        if height is not None and not self.chain.is_blockhash_valid(transaction.blockhash, height):
            error = "BlockhashNotFound"
        elif self.chain.record(transaction.signature) is not None:
            error = "AlreadyProcessed"
        else:
            try:
                meta, left = self.chain.simulate(transaction)
                error = meta.error
            except NotChargeable as refused:
                error = str(refused)
        return {
            "err": error,
            "logs": meta.logs if meta else [],
            "accounts": [self._shown(left, each) for each in addresses] or None,
            "unitsConsumed": meta.units if meta else 0,
            "returnData": None,
        }

    def _shown(self, ledger: Ledger, address: str) -> object:
        """An account as a simulation leaves it."""
        state = ledger.get(address)
        short = round(self._faults.number("solana.simulation_off_raw"))
        if short and isinstance(state, Token):
            state = msgspec.structs.replace(state, raw=max(0, state.raw - short))
        return account_json(None if state is None else encode(address, state))


def _failed(number: object, error: RpcError) -> dict[str, object]:
    return {"jsonrpc": "2.0", "error": error.as_json(), "id": number}


def _error_text(error: object) -> str:
    if isinstance(error, dict):
        place, what = error["InstructionError"]
        if isinstance(what, dict):
            return (
                f"Error processing Instruction {place}: custom program error: {what['Custom']:#x}"
            )
        return f"Error processing Instruction {place}: {what}"
    return {
        "BlockhashNotFound": "Blockhash not found",
        "AlreadyProcessed": "This transaction has already been processed",
        "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    }.get(str(error), str(error))
