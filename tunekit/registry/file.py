"""The SQLite file itself: opening, migrating, transactions, and what its errors mean."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tunekit.errors import RegistryError
from tunekit.registry import schema
from tunekit.registry.lock import ApplierLock, Holder

if TYPE_CHECKING:
    from sqlite_utils import Database

_BUSY_TIMEOUT_S = 10.0


class RegistryFile:
    """The SQLite file. Closes with its `with` block; RegistryError where it can't be used."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, is_readonly: bool) -> None:
        self.path = path
        self.is_readonly = is_readonly
        self._connection = connection

    # --- opening -------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, created and migrated where needed. RegistryError says what is wrong."""
        try:
            path = path.resolve()  # one file, one lock, whatever it is called
            if path.is_dir():
                raise RegistryError(f"{path}: is a folder; name a file with --registry")
            is_readonly = path.exists() and not os.access(path, os.W_OK)
            registry = cls(_connect(path, is_readonly=is_readonly), path, is_readonly=is_readonly)
            registry._bring_up_to_date()
        except sqlite3.Error as error:
            raise RegistryError(_explain(path, error)) from error
        except OSError as error:
            raise RegistryError(f"{path}: {error.strerror}; choose another --registry") from error
        return registry

    def _bring_up_to_date(self) -> None:
        version = self._one("PRAGMA user_version")[0]
        if version > schema.VERSION:
            raise RegistryError(
                f"{self.path}: written by a newer tunekit (registry version {version}, this one "
                f"knows {schema.VERSION}); upgrade tunekit"
            )
        if version == schema.VERSION:
            return
        if self.is_readonly:
            raise RegistryError(f"{self.path}: needs an upgrade but is read-only; make it writable")
        if version == 0 and self._one("SELECT count(*) FROM sqlite_master")[0]:
            known = self._one("SELECT count(*) FROM sqlite_master WHERE name='_sqlite_migrations'")
            if not known[0]:
                raise RegistryError(
                    f"{self.path}: is a SQLite file of something else; name another --registry"
                )
        # Two first runs at once: the second waits here and finds nothing left to do.
        holder = Holder(who="tunekit", pid=os.getpid(), command="migrate", since_s=0.0)
        lock = self.path.with_name(self.path.name + ".migrate")
        with ApplierLock(lock, holder, timeout_s=_BUSY_TIMEOUT_S):
            if self._one("PRAGMA user_version")[0] == schema.VERSION:
                return
            schema.migrate(self._connection, secrets.token_hex(16))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; fine to call twice."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing; taken at once, so that a read-then-write never deadlocks."""
        if self.is_readonly:
            raise RegistryError(f"{self.path}: is read-only; make it writable and repeat")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()
        except sqlite3.Error as error:
            raise RegistryError(_explain(self.path, error)) from error

    def _database(self) -> Database:
        import sqlite_utils

        return sqlite_utils.Database(self._connection)

    def _one(self, sql: str, values: Iterable[Any] = ()) -> Any:
        rows = self._all(sql, values)
        return rows[0] if rows else None

    def _all(self, sql: str, values: Iterable[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        bound = values if isinstance(values, Mapping) else tuple(values)
        try:
            return self._connection.execute(sql, bound).fetchall()
        except sqlite3.Error as error:
            raise RegistryError(_explain(self.path, error)) from error

    @property
    def id(self) -> str:
        """The registry's own name, part of every token: 32 hexadecimal digits."""
        return str(self._one("SELECT value FROM meta WHERE key = 'registry_id'")[0])


def _connect(path: Path, *, is_readonly: bool) -> sqlite3.Connection:
    if is_readonly:
        # Without its log the file is whole, and only immutable=1 opens it where nothing may be
        # written; with a log pending, immutable=1 would read it as damaged.
        has_log = path.with_name(path.name + "-wal").exists()
        address = f"{path.absolute().as_uri()}?" + ("mode=ro" if has_log else "immutable=1")
        connection = sqlite3.connect(
            address, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
        )
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives -wal and -shm the mode of the file itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _explain(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"{path}: another process is writing for more than {_BUSY_TIMEOUT_S:g} s; try again"
    if "malformed" in text or "not a database" in text:
        return f"{path}: is damaged or no SQLite file ({text}); restore a copy, it was not touched"
    if "full" in text:
        return f"{path}: the disk is full; free some space and repeat"
    return f"{path}: {text}"
