"""The contract suite: what tunekit expects of every provider, as tests to inherit.

A provider's author writes one class, and runs pytest:

    class TestAcme(ProviderContract):
        base_model = "acme-small"
        hyperparameters = {"epochs": 2}             # trains in seconds
        slow_hyperparameters = {"epochs": 1000}     # still trains when it is told to stop
        patience_s = 600.0                          # the longest that a job may take

        @pytest.fixture(scope="class")
        @classmethod
        def provider(cls) -> Iterator[Provider]:   # no other one may submit there meanwhile
            yield AcmeProvider(project="tests")

Redefine `job` and `slow_job` for data of your own, `refused_jobs` for what your `check` must
refuse, and the other class attributes where their values are not true of your provider. About nine
jobs are submitted. Every call is made as tunekit makes it, by a PatientCaller; the tests look at
the state reached. Where `capabilities` lacks something, its refusal is tested instead.
"""

from __future__ import annotations

import pytest

# Before the import: these modules' assertions then explain themselves, as a test module's do.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("caller", "fixtures", "jobs", "results"))
)

from tunekit.providers.contract.caller import PatientCaller  # noqa: E402
from tunekit.providers.contract.fixtures import Trained  # noqa: E402
from tunekit.providers.contract.jobs import JobPromises  # noqa: E402
from tunekit.providers.contract.results import ResultPromises  # noqa: E402
from tunekit.providers.contract.samples import sample_job  # noqa: E402

__all__ = ["PatientCaller", "ProviderContract", "Trained", "sample_job"]


class ProviderContract(JobPromises, ResultPromises):
    """Every promise; inherit from it."""
