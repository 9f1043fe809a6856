"""A small Hugging Face Hub on loopback: what `datasets` and huggingface_hub ask of one.

Commits are named by their content and stay; branches and tags move. It knows private and gated data
sets, tokens, refusals as the Hub words them, and connections that break.
Source: https://huggingface.co/docs/hub/api, and the requests that huggingface_hub 2.4 makes.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_WHEN = "2026-11-01T00:00:00.000Z"
_API = re.compile(
    r"/api/datasets/(?P<repo>[^/]+/[^/]+?)(?:/(?P<verb>revision|tree|paths-info|refs)(?:/(?P<rest>.*))?)?"
)
_FILE = re.compile(r"/datasets/(?P<repo>[^/]+/[^/]+)/resolve/(?P<rest>.+)")


def commit_name(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha1(b"commit")
    for path, data in sorted(files.items()):
        whole.update(path.encode() + b"\0" + hashlib.sha1(data).digest())
    return whole.hexdigest()


@dataclass
class Repo:
    """One data set; `refs` are branches by name, `tags` tags, `commits` files by commit."""

    is_private: bool = False
    is_gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes | str], branch: str = "main") -> str:
        """Put files under a branch, in place of those before; return the commit."""
        whole = {p: d.encode() if isinstance(d, str) else d for p, d in files.items()}
        name = commit_name(whole)
        self.commits[name] = whole
        self.refs[branch] = name
        return name

    def find(self, revision: str) -> str | None:
        known = {**self.refs, **self.tags, **{name: name for name in self.commits}}
        return known.get(revision)


@dataclass
class Hub:
    """What the server holds and does. `asked` are the requests so far, as METHOD PATH."""

    repos: dict[str, Repo] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    sent_tokens: set[str] = field(default_factory=set)
    # Faults: a status for every answer; breaks in the first so many file bodies, by a reset or by
    # an end too early.
    status: int = 0
    breaks: int = 0
    is_reset: bool = True
    url: str = ""

    def repo(self, name: str, **flags: bool) -> Repo:
        return self.repos.setdefault(name, Repo(**flags))

    @contextmanager
    def served(self) -> Iterator[Hub]:
        hub = self

        class Bound(_Handler):
            world = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.world.asked.append(f"{self.command} {path}")
        try:
            if self.world.status:
                raise _Refused(self.world.status, "", "no")
            self._signed_in()
            if match := _API.fullmatch(path):
                self._api(match["repo"], match["verb"] or "revision", match["rest"], body)
            elif match := _FILE.fullmatch(path):
                self._file(match["repo"], match["rest"])
            else:
                raise _Refused(404, "", "Not Found")
        except _Refused as refusal:
            headers = {"X-Error-Message": refusal.message}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            self._send(refusal.status, {"error": refusal.message}, headers)

    def _signed_in(self) -> bool:
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if sent:
            self.world.sent_tokens.add(sent)
        if sent and sent not in self.world.tokens:
            raise _Refused(401, "", "Invalid credentials in Authorization header")
        return bool(sent)

    def _repo(self, name: str) -> Repo:
        repo = self.world.repos.get(name)
        may = self._signed_in()
        if repo is None or (repo.is_private and not may):
            if may:
                raise _Refused(404, "RepoNotFound", "Repository not found")
            raise _Refused(401, "RepoNotFound", "Invalid username or password.")
        return repo

    def _refuse_gated(self, name: str, repo: Repo) -> None:
        if repo.is_gated:
            status = 403 if self._signed_in() else 401
            raise _Refused(status, "GatedRepo", f"Access to dataset {name} is restricted.")

    def _commit(self, repo: Repo, revision: str) -> str:
        commit = repo.find(revision)
        if commit is None:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def _split(self, repo: Repo, rest: str) -> tuple[str, str]:
        """Part REVISION/PATH, where a revision may have slashes of its own."""
        names = (*repo.refs, *repo.tags, *repo.commits)
        for name in names:
            if rest == name or rest.startswith(name + "/"):
                return name, rest[len(name) + 1 :]
        revision, _, path = rest.partition("/")
        return revision, path

    def _api(self, name: str, verb: str, rest: str | None, body: bytes) -> None:
        repo = self._repo(name)
        if verb == "refs":
            kinds = {"branches": ("heads", repo.refs), "tags": ("tags", repo.tags)}
            refs = {
                kind: [
                    {"name": n, "ref": f"refs/{where}/{n}", "targetCommit": c}
                    for n, c in known.items()
                ]
                for kind, (where, known) in kinds.items()
            }
            self._send(200, {**refs, "converts": []})
            return
        revision, path = self._split(repo, rest or "main")
        commit = self._commit(repo, revision)
        files = repo.commits[commit]
        match verb:
            case "revision":
                self._send(200, self._info(name, repo, commit))
            case "tree":
                self._refuse_gated(name, repo)
                is_recursive = "recursive=true" in urlsplit(self.path).query.lower()
                self._send(200, _tree(files, path, is_recursive))
            case _:
                self._refuse_gated(name, repo)
                self._send(200, _entries(files, _paths(body, self.headers)))

    def _info(self, name: str, repo: Repo, commit: str) -> dict[str, Any]:
        return {
            "_id": hashlib.sha1(name.encode()).hexdigest()[:24],
            "id": name,
            "author": name.partition("/")[0],
            "sha": commit,
            "lastModified": _WHEN,
            "createdAt": _WHEN,
            "private": repo.is_private,
            "gated": "auto" if repo.is_gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [{"rfilename": path} for path in repo.commits[commit]],
        }

    def _file(self, name: str, rest: str) -> None:
        repo = self._repo(name)
        self._refuse_gated(name, repo)
        revision, path = self._split(repo, rest)
        commit = self._commit(repo, revision)
        data = repo.commits[commit].get(path)
        if data is None:
            raise _Refused(404, "EntryNotFound", "Entry not found")
        headers = {
            "X-Repo-Commit": commit,
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "Accept-Ranges": "bytes",
            "X-Linked-Size": str(len(data)),
            "Content-Type": "application/octet-stream",
        }
        status, start, end = 200, 0, len(data)
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start = int(match[1])
            end = min(int(match[2]) + 1 if match[2] else len(data), len(data))
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        self._send_bytes(
            status, data[start:end], headers, is_data=not path.endswith((".md", ".yaml"))
        )

    def _send(self, status: int, answer: Any, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(answer).encode()
        self._send_bytes(status, data, {"Content-Type": "application/json", **(headers or {})})

    def _send_bytes(
        self, status: int, data: bytes, headers: Mapping[str, str], *, is_data: bool = False
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if is_data and self.world.breaks > 0:
            self.world.breaks -= 1
            self.wfile.write(data[: len(data) // 2])
            self._break_off()
            return
        self.wfile.write(data)

    def _break_off(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        if self.world.is_reset:
            time.sleep(0.05)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _paths(body: bytes, headers: Any) -> list[str]:
    if "json" in (headers.get("Content-Type") or ""):
        return [str(path) for path in json.loads(body)["paths"]]
    return parse_qs(body.decode()).get("paths", [])


def _entry(path: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}


def _folder(path: str) -> dict[str, Any]:
    return {
        "type": "directory",
        "path": path,
        "size": 0,
        "oid": hashlib.sha1(path.encode()).hexdigest(),
    }


def _entries(files: Mapping[str, bytes], paths: list[str]) -> list[dict[str, Any]]:
    found = []
    for path in paths:
        if path in files:
            found.append(_entry(path, files[path]))
        elif any(name.startswith(path + "/") for name in files):
            found.append(_folder(path))
    return found


def _tree(files: Mapping[str, bytes], folder: str, is_recursive: bool) -> list[dict[str, Any]]:
    prefix = folder + "/" if folder else ""
    below = {path: data for path, data in files.items() if path.startswith(prefix)}
    if folder and not below:
        raise _Refused(404, "EntryNotFound", f"{folder} does not exist")
    found: dict[str, dict[str, Any]] = {}
    for path, data in below.items():
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts)):
            if is_recursive or depth == 1:
                name = prefix + "/".join(parts[:depth])
                found[name] = _folder(name)
        if is_recursive or len(parts) == 1:
            found[path] = _entry(path, data)
    return [found[name] for name in sorted(found)]
