"""Every error that tunekit raises on purpose.

    TunekitError            exit 1
    ├── UsageError          exit 2   wrong flags or names
    ├── SpecError           exit 2   bad YAML, schema or meaning; carries every Problem found
    ├── DataError           exit 2   the data set can't be read or rendered
    ├── StalePlan           exit 3   the world moved between plan and apply
    ├── RegistryError       exit 4   the SQLite file: locked, newer, damaged, read-only
    │   └── RegistryBusy    exit 4   another apply holds the lock
    └── ProviderError       exit 5   the provider refused or could not be reached
        ├── AmbiguousSubmit exit 5   the job may or may not have been accepted
        ├── Unavailable     exit 5   not now: overloaded, rate-limited, unreachable
        ├── NotFound        exit 5   no such job or model there
        ├── Unsupported     exit 5   the provider has no such capability
        └── MissingExtra    exit 5   a Python package of an extra is not installed

A message names the place, the fact and the remedy. Training rows and secrets never enter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tunekit.model import Problem


class TunekitError(Exception):
    """A failure that a person can act on; its text is all they see."""

    exit_code: ClassVar[int] = 1


class UsageError(TunekitError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code: ClassVar[int] = 2


class SpecError(TunekitError):
    """The experiment files or tunekit.yaml are wrong; `problems` holds every fault found."""

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DataError(TunekitError):
    """The data set can't be read, lacks a column or holds a bad row.

    `problem` is the fault with its place, in the data or in the spec, where one is known.
    """

    exit_code: ClassVar[int] = 2
    problem: Problem | None = None


class StalePlan(TunekitError):
    """What the plan was made from is no longer so."""

    exit_code: ClassVar[int] = 3


class RegistryError(TunekitError):
    """The registry can't be opened, read or written."""

    exit_code: ClassVar[int] = 4


class RegistryBusy(RegistryError):
    """Another process is applying to the same registry."""


class ProviderError(TunekitError):
    """The provider refused a call or could not be reached."""

    exit_code: ClassVar[int] = 5


class AmbiguousSubmit(ProviderError):
    """A submit whose outcome is unknown: the job may have been accepted."""


class Unavailable(ProviderError):
    """The provider can't answer now; the same call may succeed later.

    `retry_after_s` is the wait that the provider asks for, in seconds.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotFound(ProviderError):
    """The provider knows no job or model of that name."""


class Unsupported(ProviderError):
    """The provider lacks this capability."""


class MissingExtra(ProviderError):
    """A provider or source needs a package that is not installed."""

    def __init__(self, *, needs: str, extra: str) -> None:
        super().__init__(f"{needs} is not installed; run: pip install 'tunekit[{extra}]'")
