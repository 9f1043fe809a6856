"""One call, one request: nothing is sent twice, nowhere else, or past its time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from google.auth.credentials import AnonymousCredentials, Credentials

from tests.emulator.service import Service
from tests.providers.support import JOB, TOKEN, answering, job_spec, open_vertex, until_ended
from tunekit.errors import AmbiguousSubmit, ProviderError, Unavailable
from tunekit.providers.google import rest as rest_module
from tunekit.providers.google.faults import Advice
from tunekit.providers.google.rest import Rest

ADVICE = Advice(login="gcloud login", scope="cloud-platform", role="roles/x")


def anonymous(timeout_s: float = 5) -> Rest:
    return Rest(AnonymousCredentials, timeout_s, ADVICE)


class Token(Credentials):  # type: ignore[misc]
    """Credentials whose refresh gives a new token each time."""

    def __init__(self) -> None:
        super().__init__()
        self.refreshed = 0

    def refresh(self, request: Any) -> None:
        self.refreshed += 1
        self.token = f"token-{self.refreshed}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirects_are_not_followed(status: int, method: str) -> None:
    with answering(lambda _: (200, {})) as elsewhere:
        moved = (status, b"", {"location": elsewhere.url})
        with answering(lambda _: moved) as server:
            with pytest.raises(ProviderError, match="redirect"):
                anonymous().call(method, f"{server.url}/x", doing="ask", is_submit=method == "POST")
            assert len(server.asked) == 1
        assert elsewhere.asked == []


@pytest.mark.parametrize("answer", [None, (500, {}), (503, {}), (200, b"x"), (429, {})])
def test_a_post_is_sent_once_whatever_comes_back(answer: Any) -> None:
    with answering(lambda _: answer) as server:
        with pytest.raises(ProviderError):
            anonymous().call("POST", f"{server.url}/x", body={"a": 1}, doing="x", is_submit=True)
        assert len(server.asked) == 1


def test_a_401_is_asked_again_with_a_fresh_token_only(monkeypatch: pytest.MonkeyPatch) -> None:
    token = Token()

    def reply(asked: Any) -> Any:
        is_fresh = asked.headers["authorization"] == "Bearer token-2"
        return (200, {"ok": True}) if is_fresh else (401, {})

    with answering(reply) as server:
        rest = Rest(lambda: token, 5, ADVICE)
        assert rest.call("POST", f"{server.url}/x", body={}, doing="x") == {"ok": True}
        assert len(server.asked) == 2


def test_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with answering(lambda _: (200, {})) as server:
        Rest(Token, 5, ADVICE).call("GET", f"{server.url}/x", doing="x")
        assert server.asked[0].headers["authorization"] == "Bearer token-1"


def test_calls_to_this_machine_know_no_proxy(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs, files, metrics and clean-up: each has a session of its own."""
    with answering(lambda _: (502, {})) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        service.call("POST", "/storage/v1/b?project=p", {"name": "tuning-data"})
        vertex = open_vertex(service.url, tmp_path)
        seen = until_ended(vertex, vertex.submit(job_spec(), TOKEN).name)
        assert list(vertex.metrics(seen.name, 0))
        assert seen.model
        vertex.delete_model(seen.model)
        assert proxy.asked == []


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_module, "_MOST_BYTES", 1 << 20)
    body = b'{"a": "' + b"x" * (3 << 20) + b'"}'
    with answering(lambda _: (200, body)) as server:
        with pytest.raises(ProviderError, match="larger than 1 MiB"):
            anonymous().call("GET", f"{server.url}/x", doing="get")
        with pytest.raises(AmbiguousSubmit, match="larger than 1 MiB"):
            anonymous().call("POST", f"{server.url}/x", doing="create", is_submit=True)


@contextmanager
def dripping(pause_s: float) -> Iterator[str]:
    """Serve an answer that never ends, a byte at a time."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                while not over.wait(pause_s):
                    connection.sendall(b" " * 70_000)
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()
        thread.join()


def test_an_answer_that_drips_ends_by_the_timeout() -> None:
    with dripping(0.1) as url:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"within 0\.3 s"):
            anonymous(0.3).call("GET", f"{url}/x", doing="get")
        assert time.monotonic() - began < 3


def test_hosts_that_are_not_there_are_unavailable() -> None:
    for url, remedy in (
        ("http://127.0.0.1:1/x", "; start `tunekit emulator --port 1`"),
        ("https://nowhere.invalid/x", "; look at the network, and at `endpoint` in tunekit.yaml"),
    ):
        with pytest.raises(Unavailable, match="can't connect") as caught:
            anonymous().call("POST", url, body={}, doing="create", is_submit=True)
        assert str(caught.value).endswith(remedy)


def test_tls_to_what_speaks_none_is_told() -> None:
    with answering(lambda _: (200, {})) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(Unavailable):
            anonymous().call("GET", f"{url}/x", doing="get")


def test_refused_credentials_name_the_login(tmp_path: Path) -> None:
    from google.auth.exceptions import RefreshError

    class Expired(Token):
        def refresh(self, request: Any) -> None:
            raise RefreshError("invalid_grant: Token has been expired", {"canary": "canary"})

    with answering(lambda _: (200, {})) as server:
        with pytest.raises(ProviderError, match=r"invalid_grant.*gcloud login") as caught:
            Rest(Expired, 5, ADVICE).call("GET", f"{server.url}/{JOB}", doing="get")
        assert "canary" not in str(caught.value)
        assert server.asked == []


def test_threads_share_credentials_and_not_sessions() -> None:
    made: list[Credentials] = []

    def make() -> Credentials:
        made.append(Token())
        return made[-1]

    rest = Rest(make, 5, ADVICE)
    sessions: list[Any] = [rest.session(is_local=True)]
    thread = threading.Thread(target=lambda: sessions.append(rest.session(is_local=True)))
    thread.start()
    thread.join()
    assert sessions[0] is not sessions[1]
    assert sessions[0] is rest.session(is_local=True)
    assert len(made) == 1
