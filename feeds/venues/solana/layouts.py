"""The account codecs of the Solana venue under one name.

What the feed, the trading adapter and the simulator import; the code stands by program
in `accounts`, `whirlpool_layouts`, `cpmm_layouts` and `ammv4_layouts`. No I/O, no
prices, no decisions.
"""

from __future__ import annotations

from feeds.venues.solana.accounts import (
    TOKEN_ACCOUNT_LEN,
    RawAccount,
    TokenAccount,
    decode_token_account,
    encode_token_account,
    key_bytes,
    key_text,
)
from feeds.venues.solana.ammv4_layouts import (
    AMMV4_LEN,
    AmmV4State,
    assemble_ammv4,
    decode_ammv4_state,
    encode_ammv4_state,
)
from feeds.venues.solana.cpmm_layouts import (
    AMM_CONFIG_LEN,
    CPMM_POOL_LEN,
    AmmConfig,
    CpmmState,
    assemble_cpmm,
    decode_amm_config,
    decode_cpmm_state,
    encode_amm_config,
    encode_cpmm_state,
)
from feeds.venues.solana.whirlpool_layouts import (
    DYNAMIC_TICK_ARRAY_DISC,
    FIXED_TICK_ARRAY_DISC,
    FIXED_TICK_ARRAY_LEN,
    ORACLE_LEN,
    WHIRLPOOL_LEN,
    Traded,
    decode_oracle,
    decode_tick_array,
    decode_traded,
    decode_whirlpool,
    encode_dynamic_tick_array,
    encode_fixed_tick_array,
    encode_oracle,
    encode_traded,
    encode_whirlpool,
    traded_from_logs,
    traded_log_line,
)

__all__ = [
    "AMMV4_LEN",
    "AMM_CONFIG_LEN",
    "CPMM_POOL_LEN",
    "DYNAMIC_TICK_ARRAY_DISC",
    "FIXED_TICK_ARRAY_DISC",
    "FIXED_TICK_ARRAY_LEN",
    "ORACLE_LEN",
    "TOKEN_ACCOUNT_LEN",
    "WHIRLPOOL_LEN",
    "AmmConfig",
    "AmmV4State",
    "CpmmState",
    "RawAccount",
    "TokenAccount",
    "Traded",
    "assemble_ammv4",
    "assemble_cpmm",
    "decode_amm_config",
    "decode_ammv4_state",
    "decode_cpmm_state",
    "decode_oracle",
    "decode_tick_array",
    "decode_token_account",
    "decode_traded",
    "decode_whirlpool",
    "encode_amm_config",
    "encode_ammv4_state",
    "encode_cpmm_state",
    "encode_dynamic_tick_array",
    "encode_fixed_tick_array",
    "encode_oracle",
    "encode_token_account",
    "encode_traded",
    "encode_whirlpool",
    "key_bytes",
    "key_text",
    "traded_from_logs",
    "traded_log_line",
]
