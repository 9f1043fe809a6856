"""An emulator for each test, every answer of which is checked against Google's documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.service import Service


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Start emulators; at the end every answer they gave must have been as documented.

    With `checks_requests=True` every request must have been as well: for tests of our own clients.
    """
    # Here, because a conftest may not skip: the test modules do, by importing the same.
    from tests.emulator.service import Service, Watched
    from tunekit.emulator import Emulator, Faults, Settings

    running: list[Service] = []

    def start(
        *,
        time_scale: float = 1000,
        seed: int = 0,
        checks_requests: bool = False,
        **faults: Any,
    ) -> Service:
        layers: list[Watched] = []

        def wrap(app: Any) -> Watched:
            layers.append(Watched(app))
            return layers[0]

        settings = Settings(time_scale=time_scale, seed=seed, faults=Faults().changed(faults))
        emulator = Emulator(settings, wrap=wrap)
        emulator.__enter__()
        running.append(Service(emulator, layers[0], checks_requests=checks_requests))
        return running[-1]

    yield start
    for service in running:
        service.http.close()
        service.emulator.__exit__(None, None, None)
    for service in running:
        service.require_documented()


@pytest.fixture
def service(serve: Callable[..., Service]) -> Service:
    return serve()
