"""JSON over HTTP with Google credentials: one request a call, never a second try.

`requests` below AuthorizedSession re-sends nothing by itself; only a 401, which refused a request
before anything happened, is repeated once the token is fresh.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunekit.errors import AmbiguousSubmit, MissingExtra, ProviderError, Unavailable
from tunekit.providers.google.addresses import is_loopback
from tunekit.providers.google.faults import Advice, fault, plain, retry_after_s

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession

JSON = dict[str, Any]

_CONNECT_S = 10.0
_CHUNK = 1 << 16
# A page of 100 jobs with sample rows is a few MB.
_MOST_BYTES = 64 << 20


@dataclass(slots=True)
class Rest:
    """Calls to Google's REST APIs; `credentials` is asked for at the first one.

    `timeout_s` bounds each wait, and from the request's start the answer's last byte, give or take
    one wait. Threads may share it.
    """

    credentials: Callable[[], Credentials]
    timeout_s: float
    advice: Advice
    extra: str = "vertex"
    _local: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _signer: Credentials | None = None

    def call(
        self,
        method: str,
        url: str,
        *,
        doing: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        is_submit: bool = False,
        hidden: str = "",
    ) -> JSON:
        """Return a JSON object. `doing` begins the text of every error; `hidden` is in none.

        Of a submit, AmbiguousSubmit unless it surely had no effect; Unavailable, NotFound or
        ProviderError else.
        """
        headers = {"accept": "application/json"}
        data = None
        if body is not None:
            headers["content-type"] = "application/json; charset=utf-8"
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        status, told_wait_s, answer = self._exchange(
            method, url, data, headers, query, doing=doing, is_submit=is_submit
        )
        if not 200 <= status < 300:
            raise fault(
                status,
                answer.decode("utf-8", "replace"),
                doing=doing,
                is_submit=is_submit,
                retry_after_s=told_wait_s,
                advice=self.advice,
                hidden=hidden,
            )
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise _broken(f"{doing}: the answer is no JSON object", is_submit=is_submit)
        return found

    def session(self, *, is_local: bool) -> AuthorizedSession:
        """Return this thread's session; one for this machine knows no proxy."""
        sessions: dict[str, AuthorizedSession] = self._local.__dict__
        kind = "local" if is_local else "remote"
        if kind not in sessions:
            sessions[kind] = self._open(is_local=is_local)
        return sessions[kind]

    def signer(self) -> Credentials:
        """Return the credentials, found once. ProviderError, MissingExtra as they are not."""
        with self._lock:
            if self._signer is None:
                self._signer = self.credentials()
            return self._signer

    def _open(self, *, is_local: bool) -> AuthorizedSession:
        try:
            from google.auth.credentials import AnonymousCredentials
            from google.auth.transport.requests import AuthorizedSession
        except ImportError as error:  # google-auth re-raises it for requests
            raise MissingExtra(needs="google-auth[requests]", extra=self.extra) from error
        signer = self.signer()
        # Anonymous credentials can't be refreshed, and trying hides the 401.
        codes = () if isinstance(signer, AnonymousCredentials) else (401,)
        session = AuthorizedSession(signer, refresh_status_codes=codes)  # type: ignore[no-untyped-call]
        tame(session, is_local=is_local)
        return session

    def _exchange(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: dict[str, str],
        query: Mapping[str, str] | None,
        *,
        doing: str,
        is_submit: bool,
    ) -> tuple[int, float | None, bytes]:
        session = self.session(is_local=is_loopback(url))
        until_s = time.monotonic() + self.timeout_s
        with self.watching(doing, url, is_submit=is_submit):
            answer = session.request(  # type: ignore[no-untyped-call]
                method,
                url,
                data=data,
                headers=headers,
                params=query,
                timeout=self.waits_s,
                allow_redirects=False,
                stream=True,
            )
            with answer:
                taken = bytearray()
                for chunk in answer.iter_content(_CHUNK):
                    taken += chunk
                    if len(taken) > _MOST_BYTES:
                        text = f"{doing}: the answer is larger than {_MOST_BYTES >> 20} MiB"
                        raise AmbiguousSubmit(text) if is_submit else ProviderError(text)
                    if time.monotonic() > until_s:
                        raise _broken(self._late(doing), is_submit=is_submit)
                wait_s = retry_after_s(answer.headers.get("retry-after"))
                return answer.status_code, wait_s, bytes(taken)

    @property
    def waits_s(self) -> tuple[float, float]:
        """The longest waits for a connection and between two pieces of an answer."""
        return min(_CONNECT_S, self.timeout_s), self.timeout_s

    @contextmanager
    def watching(self, doing: str, url: str, *, is_submit: bool = False) -> Iterator[None]:
        """Turn what `requests` and google-auth raise of one exchange into our errors."""
        import google.auth.exceptions
        import requests

        try:
            yield
        except requests.RequestException as error:
            raise self._cut(error, doing, url, is_submit=is_submit) from error
        except google.auth.exceptions.TransportError as error:
            # The token's own address; our request was not sent.
            text = f"{doing}: can't get an access token: {plain(str(error))}"
            raise Unavailable(text) from error
        except google.auth.exceptions.InvalidOperation as error:
            # Anonymous credentials, asked for a fresh token after a 401.
            raise fault(401, "", doing=doing, advice=self.advice) from error
        except google.auth.exceptions.GoogleAuthError as error:
            said = plain(_first(error))
            remedy = f"run: {self.advice.login}"
            if "impersonated" in said:
                remedy = "you need roles/iam.serviceAccountTokenCreator on that service account"
            raise ProviderError(
                f"{doing}: the credentials were refused: {said}; {remedy}"
            ) from error

    def _cut(self, error: Exception, doing: str, url: str, *, is_submit: bool) -> ProviderError:
        """Return what a request means that ended without a whole answer."""
        from requests import exceptions as of

        host = url.split("/")[2]
        match error:
            case of.ConnectTimeout():
                return Unavailable(f"{doing}: {host} can't be reached (timed out)")
            case of.SSLError() if "CERTIFICATE" in str(error):
                return ProviderError(
                    f"{doing}: the certificate of {host} is not trusted here; a proxy that "
                    "inspects traffic needs its own in REQUESTS_CA_BUNDLE"
                )
            case of.ConnectionError() if _never_sent(error):
                remedy = "look at the network, and at `endpoint` in tunekit.yaml"
                if is_loopback(url):
                    remedy = f"start `tunekit emulator --port {host.rpartition(':')[2]}`"
                return Unavailable(f"{doing}: can't connect to {host}; {remedy}")
            case of.InvalidURL() | of.InvalidHeader() | of.MissingSchema():
                return ProviderError(f"{doing}: {plain(str(error))}")
        if isinstance(error, of.Timeout) or "Read timed out" in str(error):
            return _broken(self._late(doing), is_submit=is_submit)
        return _broken(f"{doing}: {host} broke off the connection", is_submit=is_submit)

    def _late(self, doing: str) -> str:
        return f"{doing}: no whole answer within {self.timeout_s:g} s (request_timeout_s)"


def tame(session: AuthorizedSession, *, is_local: bool) -> None:
    """Keep what the environment would change out of a session: a proxy on the way to this machine,

    and ~/.netrc, whose password `requests` would put over our token.
    """
    session.trust_env = not is_local
    session.auth = lambda request: request


def _broken(text: str, *, is_submit: bool) -> ProviderError:
    return AmbiguousSubmit(text) if is_submit else Unavailable(text)


def _never_sent(error: BaseException) -> bool:
    """True where no connection came about: refused, no such host, no route, a proxy that failed."""
    from urllib3.exceptions import NameResolutionError, NewConnectionError, ProxyError

    reasons: list[Any] = [error, *error.args, *(getattr(a, "reason", None) for a in error.args)]
    return any(
        isinstance(r, NewConnectionError | NameResolutionError | ProxyError) for r in reasons
    )


def _first(error: Exception) -> str:
    """Return an auth error's words without the answer that it carries behind them."""
    return str(error.args[0]) if error.args else type(error).__name__
