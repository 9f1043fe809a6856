"""The live server answers whoever has its address, and nobody else."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tunekit.report import LiveServer


@pytest.fixture
def server() -> Iterator[LiveServer]:
    made = LiveServer(0, now_s=lambda: 7.0)
    made.publish(b"<!doctype html>", b'{"a": 1}')
    made.start()
    yield made
    made.close()


def call(server: LiveServer, method: str = "GET", path: str = "", **headers: str) -> Any:
    """Return (status, headers, body) of one request; `path` follows the token's."""
    address = urlsplit(server.url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    target = path if path.startswith("/") else address.path + path
    connection.request(method, target, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.headers), body


def test_the_address_gives_the_page_and_its_data(server: LiveServer) -> None:
    status, headers, body = call(server)
    assert (status, body) == (200, b"<!doctype html>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    status, headers, body = call(server, path="data.json")
    assert (status, headers["Content-Type"], body) == (200, "application/json", b'{"a": 1}')


def test_data_that_have_not_changed_are_not_sent_again(server: LiveServer) -> None:
    mark = call(server, path="data.json")[1]["ETag"]
    assert call(server, path="data.json", **{"If-None-Match": mark})[::2] == (304, b"")
    server.publish(b"", b'{"a": 2}')
    status, headers, body = call(server, path="data.json", **{"If-None-Match": mark})
    assert (status, body) == (200, b'{"a": 2}')
    assert headers["ETag"] != mark


@pytest.mark.parametrize("path", ["/", "/data.json", "/wrong-token/", "/wrong-token/data.json"])
def test_without_the_token_there_is_nothing(server: LiveServer, path: str) -> None:
    assert call(server, path=path)[0] == 404
    assert server.asked_s is None


def test_a_reader_who_hangs_up_leaves_no_trace(
    server: LiveServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.publish(b"x" * 8_000_000, b"{}")
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as reader:
        # To linger for no time is to reset the connection.
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reader.sendall(f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        reader.recv(1)
    while any("process_request" in one.name for one in threading.enumerate()):
        time.sleep(0.01)
    assert call(server, path="data.json")[0] == 200
    assert capfd.readouterr().err == ""


def test_every_server_has_a_token_of_its_own(server: LiveServer) -> None:
    other = LiveServer(0, now_s=lambda: 0.0)
    try:
        tokens = [urlsplit(one.url).path.strip("/") for one in (server, other)]
    finally:
        other.close()
    assert tokens[0] != tokens[1]
    assert min(map(len, tokens)) >= 32
    assert urlsplit(server.url).hostname == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil:80"])
def test_another_host_is_refused(server: LiveServer, host: str) -> None:
    status, _, body = call(server, Host=host)
    assert status == 421
    assert b"doctype" not in body
    assert server.asked_s is None


def test_localhost_is_this_machine_too(server: LiveServer) -> None:
    assert call(server, Host=f"localhost:{urlsplit(server.url).port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(server: LiveServer, method: str) -> None:
    status, headers, _ = call(server, method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_head_tells_the_length_and_sends_nothing(server: LiveServer) -> None:
    status, headers, body = call(server, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "15", b"")


def test_other_paths_are_not_there(server: LiveServer) -> None:
    for path in ("../registry.db", "%2e%2e/registry.db", "x", "data.json/x"):
        assert call(server, path=path)[0] == 404
    token = urlsplit(server.url).path
    assert call(server, path=token.rstrip("/"))[0] == 308


def test_it_is_known_when_a_reader_last_asked(server: LiveServer) -> None:
    assert server.asked_s is None
    call(server, path="data.json")
    assert server.asked_s == 7.0


def test_a_taken_port_is_an_error(server: LiveServer) -> None:
    with pytest.raises(OSError, match="in use"):
        LiveServer(int(urlsplit(server.url).port or 0), now_s=lambda: 0.0)
