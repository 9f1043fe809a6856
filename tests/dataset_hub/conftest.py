"""A Hub on loopback for each test, and a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dataset_hub.reading import read
from tests.dataset_hub.server import Hub


class Reached:
    """The Hub and a machine that reads from it."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub = hub
        self.home = home
        self.environ: dict[str, str] = {}

    def read(self, name: str = "o/n", **wish: Any) -> Any:
        return read(self.hub.url, self.home, environ=self.environ, hub=name, **wish)

    def refused(self, name: str = "o/n", **wish: Any) -> str:
        """Return the message of a refusal; it holds no token."""
        answer = self.read(name, **wish)
        assert "error" in answer, answer
        text = str(answer["text"])
        assert "hf_" not in text
        return text

    def unreached(self, name: str = "o/n", **wish: Any) -> str:
        """Return the message of a source that may be as it was, but can't be asked now."""
        answer = self.read(name, **wish)
        assert answer.get("error") in ("OutOfReach", "NoConnection"), answer
        assert answer["seconds"] < 60
        return str(answer["text"])


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[Reached]:
    pytest.importorskip("datasets", reason="needs the extra hub")
    with Hub().served() as hub:
        yield Reached(hub, tmp_path)
