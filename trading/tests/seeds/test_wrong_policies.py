"""The proof must catch what it is for: six wrong policies, each by the invariant it breaks."""

from __future__ import annotations

import pytest

from trading.proof.database import ProofDatabase
from trading.proof.desk import run_seed
from trading.proof.policies import WRONG_POLICIES, Policy

WITHIN_SEEDS = 60


@pytest.mark.slow
@pytest.mark.parametrize("policy", WRONG_POLICIES, ids=lambda policy: policy.name)
def test_a_wrong_policy_is_caught_by_name(
    proof_database: ProofDatabase, policy: type[Policy]
) -> None:
    found: set[str] = set()
    for seed in range(WITHIN_SEEDS):
        result = run_seed(seed, proof_database, policy())
        found |= {violation.name for violation in result.violations}
        if found & set(policy.expects):
            break
    assert found & set(policy.expects), f"{policy.name} was not caught, only {sorted(found)}"
