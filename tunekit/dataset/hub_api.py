"""What the Hugging Face Hub is asked about a data set, and what its refusals mean.

huggingface_hub is imported at the first call. The token is the environment's HF_TOKEN and no other:
not the one that `hf auth login` keeps in a file. HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE count as
its documentation has them.
Source: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Literal, NamedTuple

from tunekit.dataset.sources import BadSource, OutOfReach
from tunekit.errors import MissingExtra, TunekitError
from tunekit.model import Location, Problem

TIMEOUT_S = 20.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_SHOWN = 10
# Where the four HTTP libraries below keep their errors of the connection.
_WIRES = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3", "aiohttp", "fsspec")
_TOKEN = "https://huggingface.co/settings/tokens"  # noqa: S105 - where to get one


class NoConnection(OutOfReach):
    """The Hub did not answer; what is in the cache is still good."""


class HubTable(NamedTuple):
    """A data set of the Hub as a spec names it; `key` is where its problems are shown."""

    repo: str
    config: str | None
    split: str | None
    revision: str | None
    where: Location | None

    @property
    def name(self) -> str:
        return f"hub:{self.repo}"


def is_commit(revision: str | None) -> bool:
    """Say whether a revision can never move: a commit's 40 digits."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def token() -> str | Literal[False]:
    """Return the token to send; False, which is none, where the environment has none."""
    return os.environ.get("HF_TOKEN", "").strip() or False


def commit_of(table: HubTable) -> str:
    """Return the commit that a branch, tag or commit names now; one small call.

    BadSource if there is no such revision; OutOfReach if the data set can't be asked for.
    """
    with explained(table):
        info = _api().dataset_info(
            table.repo, revision=table.revision, timeout=TIMEOUT_S, token=token()
        )
    commit = str(info.sha or "")
    if not is_commit(commit):
        fact = f"{table.name}: the Hub names no commit for it"
        raise OutOfReach(Problem(fact, "check HF_ENDPOINT", table.where))
    return commit


def sizes_bytes(table: HubTable, commit: str, paths: Sequence[str]) -> int:
    """Return how many bytes files of a data set have together."""
    total = 0
    left = iter(paths)
    with explained(table):
        while some := list(islice(left, 500)):
            found = _api().get_paths_info(
                table.repo, some, revision=commit, repo_type="dataset", token=token()
            )
            total += sum(int(getattr(file, "size", 0) or 0) for file in found)
    return total


def _api() -> Any:
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtra(needs="datasets", extra="hub") from None
    return HfApi(library_name="tunekit")


def listed(names: Sequence[str]) -> str:
    """Return names for a message, cut to what can be read."""
    shown = [name[:60] for name in names[:_MOST_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f", {more} more" if more else "")


@contextmanager
def explained(table: HubTable) -> Iterator[None]:
    """Turn the errors of `datasets` and of all below it into ours, without their text."""
    try:
        yield
    except TunekitError:
        raise
    except Exception as error:
        raise _explain(error, table) from None


def _explain(error: Exception, table: HubTable) -> BadSource:
    chain = list(_chain(error))
    for cause in chain:
        if known := _known(cause, table):
            return known
    kind = type(chain[-1]).__name__
    fact = f"{table.name}: `datasets` can't read its files ({kind})"
    return BadSource(Problem(fact, "check them on the Hub, or name another revision", table.where))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, the outermost first."""
    seen: set[int] = set()
    next_one: BaseException | None = error
    while next_one is not None and id(next_one) not in seen:
        seen.add(id(next_one))
        yield next_one
        next_one = next_one.__cause__ or next_one.__context__


def _known(error: BaseException, table: HubTable) -> BadSource | None:
    from huggingface_hub import errors

    name, where = table.name, table.where

    def bad(fact: str, remedy: str) -> BadSource:
        return BadSource(Problem(f"{name}: {fact}", remedy, where))

    def away(fact: str, remedy: str) -> OutOfReach:
        return OutOfReach(Problem(f"{name}: {fact}", remedy, where))

    match error:
        case TunekitError():
            return error if isinstance(error, BadSource) else None
        case errors.OfflineModeIsEnabled():
            fact = f"{name}: HF_HUB_OFFLINE is set, and the data set is not in the cache"
            return NoConnection(Problem(fact, "unset it, then try again", where))
        case _ if isinstance(error, errors.GatedRepoError) or _is_gated(error):
            remedy = f"ask for access on its page, and set HF_TOKEN to a token of yours ({_TOKEN})"
            return away("its owner must let you read it", remedy)
        case errors.RepositoryNotFoundError() if token():
            fact = "no such data set, or it is private and the token in HF_TOKEN may not read it"
            return away(fact, f"check OWNER/NAME, and the token's rights at {_TOKEN}")
        case errors.RepositoryNotFoundError():
            fact = "no such data set, or it is private"
            return away(
                fact, f"check OWNER/NAME, or set HF_TOKEN to one that may read it ({_TOKEN})"
            )
        case errors.RevisionNotFoundError():
            known = _revisions(table)
            remedy = f"it has {known}, and commits" if known else "check it on the Hub"
            return bad(f"no revision {str(table.revision)[:60]!r}", remedy)
        case errors.DisabledRepoError():
            return bad("the Hub has closed it", "name another data set")
        case errors.HfHubHTTPError():
            return _refusal(error.response.status_code, table)
        case errors.HFValidationError():
            return bad("not a name that the Hub can have", "write OWNER/NAME as the Hub shows it")
        case RuntimeError() if "scripts are no longer supported" in str(error):
            fact = "it is made by a script of its own, which tunekit never runs"
            remedy = "try revision: refs/convert/parquet, the Hub's own copy of it"
            return bad(fact, remedy)
        case OSError() if error.errno == errno.ENOSPC or "Not enough disk space" in str(error):
            return bad("no room for it on the disk of the cache", "free some, or set HF_HOME")
    if type(error).__name__ in ("EmptyDatasetError", "DataFilesNotFoundError"):
        return bad("no files that `datasets` can read", "name another data set or revision")
    return _lost_connection(error, table)


def _is_gated(error: BaseException) -> bool:
    """Say whether `datasets` tells of a gated data set, which it does without a cause."""
    return type(error).__name__ == "DatasetNotFoundError" and "is a gated dataset" in str(error)


def _lost_connection(error: BaseException, table: HubTable) -> BadSource | None:
    home = type(error).__module__.partition(".")[0]
    if not isinstance(error, ConnectionError | TimeoutError) and home not in _WIRES:
        return None
    kind = type(error).__name__
    if "Timeout" in kind:
        reason = "no answer in time"
    elif kind in ("RemoteProtocolError", "ClientPayloadError", "IncompleteRead", "ReadError"):
        reason = "the connection broke"
    else:
        reason = "no connection"
    fact = f"{table.name}: the Hugging Face Hub can't be reached ({reason})"
    return NoConnection(Problem(fact, "check the network, then try again", table.where))


def _refusal(status: int, table: HubTable) -> BadSource:
    match status:
        case 401:
            fact = (
                "the Hub does not take the token in HF_TOKEN"
                if token()
                else "the Hub wants to know who asks"
            )
            remedy = f"set HF_TOKEN to a valid one ({_TOKEN})"
        case 403:
            fact = "the token in HF_TOKEN may not read it"
            remedy = f"give it read access ({_TOKEN})"
        case 429:
            fact, remedy = "the Hub answered 429, too many requests", "try again in some minutes"
        case _ if status >= 500:
            fact, remedy = f"the Hub answered {status}", "try again in a while"
        case _:
            fact, remedy = f"the Hub refused with {status}", "check OWNER/NAME and revision"
    kind = NoConnection if status >= 500 else OutOfReach
    return kind(Problem(f"{table.name}: {fact}", remedy, table.where))


def _revisions(table: HubTable) -> str:
    """Return the branches and tags of a data set, as far as they can be asked for."""
    with suppress(Exception):
        refs = _api().list_repo_refs(table.repo, repo_type="dataset", token=token())
        return listed([ref.name for ref in (*refs.branches, *refs.tags)])
    return ""
