"""One browser for all tests of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunekit.report import Report, page_of

if TYPE_CHECKING:
    from tests.report.browser import Reader


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from tests.report.browser import browser

    with browser() as started:
        yield started


@pytest.fixture
def read(chromium: Any) -> Iterator[Callable[..., Reader]]:
    """Open windows of a size and a colour scheme; closed at the end."""
    from tests.report.browser import DESKTOP, Reader

    contexts = []

    def opened(size: Any = DESKTOP, scheme: str = "light", **more: Any) -> Reader:
        context = chromium.new_context(viewport=size, color_scheme=scheme, **more)
        context.set_default_timeout(10_000)
        contexts.append(context)
        return Reader(context.new_page())

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Report], Path]:
    """Write a report's page, as `tunekit report` does."""

    def write(report: Report) -> Path:
        path = tmp_path / "report.html"
        path.write_bytes(page_of(report))
        return path

    return write
