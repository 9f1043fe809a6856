"""What Google's refusals mean, as errors that a person can act on. Pure.

Sources: https://google.aip.dev/193 (errors), https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tunekit.errors import AmbiguousSubmit, NotFound, ProviderError, Unavailable
from tunekit.model import Diagnosis

_MOST_CHARACTERS = 600
_MOST_VIOLATIONS = 5
# So many of a text's words in a row, of so many characters, are no coincidence.
_TELLING_WORDS = 3
_TELLING_CHARACTERS = 8
# Bearer and access tokens, API keys, and `key=` of an address: servers echo requests.
_SECRETS = re.compile(
    r"(?i)\bbearer\s+\S+|\bya29\.[\w.~+/-]+=*|\bAIza[\w-]{20,}|\beyJ[\w-]{10,}\.[\w.-]+"
    r"|(?<=[?&]key=)[^&\s]+"
)


class Refused(ProviderError):
    """An answer that says no, for a reason that has no error of its own; `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Advice:
    """What a caller must have, for the sentence that follows a 401 or 403.

    `login` is the command that gets credentials, `scope` what they must cover, `role` the IAM role
    that allows the calls, `service` the API's name for `gcloud services enable`.
    """

    login: str
    scope: str
    role: str
    service: str = ""
    project: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Google error as it came: `status` is google.rpc's word, `reasons` of its ErrorInfo."""

    message: str
    status: str = ""
    reasons: tuple[str, ...] = ()
    metadata: Mapping[str, str] | None = None
    retry_after_s: float | None = None


def fault(
    status: int,
    body: Mapping[str, Any] | str,
    *,
    doing: str,
    is_submit: bool = False,
    retry_after_s: float | None = None,
    advice: Advice | None = None,
    hidden: str = "",
) -> ProviderError:
    """Return what an HTTP answer of 300 or more means; `doing` begins its text.

    A submit's 5xx and 408 are ambiguous, its 429 is not. `retry_after_s` is the header's. A message
    that repeats what was sent in `hidden`, a row's text, is left out.
    """
    refusal = read_refusal(body)
    if _repeats(refusal.message, hidden):
        refusal = replace(refusal, message=f"{refusal.status} (its words repeat what was sent)")
    said = f"{doing}: {refusal.message or f'HTTP {status}, without a word'}"
    wait_s = retry_after_s if retry_after_s is not None else refusal.retry_after_s
    if status == 429:
        return Unavailable(f"{said} (over quota or too fast, HTTP 429)", retry_after_s=wait_s)
    if status >= 500 or status in (408, 499):  # 499: the service saw us go
        if is_submit:
            return AmbiguousSubmit(f"{said} (HTTP {status})")
        return Unavailable(f"{said} (HTTP {status})", retry_after_s=wait_s)
    if status == 401:
        return Refused(f"{doing}: not logged in (HTTP 401){_login(advice)}", status)
    if status == 403:
        return Refused(f"{said} (HTTP 403){_permission(refusal, advice)}", status)
    if status == 404:
        return NotFound(f"{said} (HTTP 404)")
    if 300 <= status < 400:
        text = f"{doing}: answered by a redirect (HTTP {status}), which is not followed"
        return Refused(f"{text}; correct `endpoint` in tunekit.yaml", status)
    return Refused(f"{said} (HTTP {status})", status)


def diagnosis(subject: str, error: ProviderError) -> Diagnosis:
    """Return what `doctor` shows of a refusal: never without a remedy."""
    fact, _, remedy = str(error).partition("; ")
    if isinstance(error, Unavailable):
        return Diagnosis(subject, False, fact, remedy or "ask again later")
    return Diagnosis(subject, False, fact, remedy or "correct what it names in tunekit.yaml")


def read_refusal(body: Mapping[str, Any] | str) -> Refusal:
    """Return a Google error's parts; any other body becomes a short message."""
    given: Any = body
    if isinstance(body, str):
        try:
            given = json.loads(body)
        except ValueError:
            return Refusal("" if _is_page(body) else plain(body))
    if isinstance(given, list):  # a stream's
        given = given[0] if given else None
    error = given.get("error") if isinstance(given, Mapping) else None
    if isinstance(error, str):  # OAuth: {"error": "invalid_grant", "error_description": …}
        assert isinstance(given, Mapping)  # noqa: S101 - error came out of it
        return Refusal(plain(f"{error}: {given.get('error_description') or ''}".rstrip(": ")))
    if not isinstance(error, Mapping):
        return Refusal("")
    details = [d for d in _listed(error.get("details")) if isinstance(d, Mapping)]
    message = str(error.get("message") or "").strip()
    extras = [text for text in _violations(details) if text not in message]
    infos = [d for d in details if str(d.get("@type", "")).endswith(".ErrorInfo")]
    metadata = next((i["metadata"] for i in infos if isinstance(i.get("metadata"), Mapping)), None)
    # Cloud Storage puts its reasons elsewhere.
    reasons = [d.get("reason") for d in (*infos, *_listed(error.get("errors"))) if d]
    return Refusal(
        plain("; ".join([message, *extras[:_MOST_VIOLATIONS]]).strip("; ")),
        status=str(error.get("status") or ""),
        reasons=tuple(str(reason) for reason in reasons if reason),
        metadata={str(k): str(v) for k, v in metadata.items()} if metadata else None,
        retry_after_s=_retry_info(details),
    )


def plain(text: str) -> str:
    """Return a server's text on one line, bounded, without what looks like a credential."""
    short = _SECRETS.sub("…", " ".join(text[: 4 * _MOST_CHARACTERS].split()))
    return short if len(short) <= _MOST_CHARACTERS else short[:_MOST_CHARACTERS] + "…"


def retry_after_s(header: str | None) -> float | None:
    """Return a Retry-After header's seconds; its form with a date is not understood: None."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None


def _repeats(message: str, hidden: str) -> bool:
    words = hidden.split()
    runs = {" ".join(words[at : at + _TELLING_WORDS]) for at in range(len(words))}
    return any(run in message for run in runs if len(run) >= _TELLING_CHARACTERS)


def _is_page(text: str) -> bool:
    return text.lstrip()[:1] == "<"


def _listed(value: Any) -> list[Any]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _violations(details: list[Mapping[str, Any]]) -> Iterator[str]:
    for detail in details:
        for one in _listed(detail.get("fieldViolations")):
            yield f"{one.get('field', '')}: {one.get('description', '')}".strip(": ")
        for one in _listed(detail.get("violations")):
            yield str(one.get("description") or one.get("subject") or "")


def _retry_info(details: list[Mapping[str, Any]]) -> float | None:
    delays = (str(detail.get("retryDelay") or "") for detail in details)
    return next((retry_after_s(delay.removesuffix("s")) for delay in delays if delay), None)


def _login(advice: Advice | None) -> str:
    if advice is None:
        return "; log in again"
    return f"; run: {advice.login} (the credentials must cover the scope {advice.scope})"


def _permission(refusal: Refusal, advice: Advice | None) -> str:
    """Return the remedy of a 403, by the reason that its ErrorInfo gives."""
    if advice is None:
        return ""
    service = advice.service or "the API"
    project = f" --project={advice.project}" if advice.project else ""
    consumer = (refusal.metadata or {}).get("consumer", "").removeprefix("projects/")
    reasons = set(refusal.reasons)
    if reasons & {"SERVICE_DISABLED", "accessNotConfigured"}:
        where = f" --project={consumer}" if consumer else project
        return f"; run: gcloud services enable {service}{where}"
    if reasons & {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions"}:
        return f"; the credentials lack the scope {advice.scope}; run: {advice.login}"
    if "USER_PROJECT_DENIED" in reasons:
        return (
            "; the quota project is not yours to use: set quota_project in tunekit.yaml, or get "
            "the role roles/serviceusage.serviceUsageConsumer there"
        )
    if "BILLING_DISABLED" in reasons:
        return f"; turn on billing for project {consumer or advice.project or 'of the call'}"
    if "quota project" in refusal.message:
        return "; set quota_project in tunekit.yaml to a project of yours"
    return (
        f"; the account needs the role {advice.role}"
        + (f" in project {advice.project}" if advice.project else "")
        + f", and credentials with the scope {advice.scope}"
    )
