"""The suite fails on providers that break a promise: one that can't fail is worth nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.contract.zoo import ZOO

# Every animal keeps this promise, so that it is its fault alone that fails it.
_KEPT = "test_submit_names_the_job_and_its_token"


@pytest.mark.parametrize("subject", ZOO)
def test_a_broken_promise_fails_the_tests_of_that_promise(subject: str) -> None:
    wanted = {
        (f"Test{animal.__name__}", t) for animal, tests in ZOO[subject].items() for t in tests
    }
    chosen = wanted | {(name, _KEPT) for name, _ in wanted}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-rfEp", "--tb=no", "-q", "-W", "ignore"),
            *(f"tests/contract/zoo.py::{name}::{test}" for name, test in sorted(chosen)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    ends = set(re.findall(r"^(\w+) \S+::(\w+)::(\w+)", done.stdout, flags=re.MULTILINE))
    expected = {("FAILED", *each) for each in wanted}
    expected |= {("PASSED", *each) for each in chosen - wanted}
    assert ends == expected, done.stdout
