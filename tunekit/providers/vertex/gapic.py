"""google-cloud-aiplatform's generated clients: one call, one request, our session, our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tunekit.errors import Unavailable
from tunekit.providers.google.addresses import is_loopback
from tunekit.providers.google.faults import fault, retry_after_s
from tunekit.providers.google.packages import load
from tunekit.providers.google.rest import Rest, tame
from tunekit.providers.vertex.places import Places

_SERVICES = "google.cloud.aiplatform_v1.services"
_PACKAGE = "google-cloud-aiplatform"


@dataclass(slots=True)
class Clients:
    """Clients of v1 by service and location. Importing the first takes a second, so late."""

    rest: Rest
    places: Places
    _made: dict[tuple[str, str], Any] = field(default_factory=dict)

    def of(self, service: str, location: str) -> Any:
        """Return a client such as `tensorboard_service`. MissingExtra where there is none."""
        key = (service, location)
        if key not in self._made:
            self._made[key] = self._make(service, self.places.host(location))
        return self._made[key]

    def options(self) -> dict[str, Any]:
        """Return what every call takes: no retry, and an end."""
        return {"retry": None, "timeout": self.rest.timeout_s}

    def _make(self, service: str, host: str) -> Any:
        module = load(f"{_SERVICES}.{service}", package=_PACKAGE, extra="vertex")
        name = "".join(part.title() for part in service.split("_")) + "Client"
        client = getattr(module, name)(
            credentials=self.rest.signer(),
            transport="rest",
            client_options={"api_endpoint": host},
        )
        # Its session is its own, and would send calls to this machine to a proxy.
        tame(client.transport._session, is_local=is_loopback(host))
        if hasattr(client.transport, "operations_client"):  # waits for operations by one more
            waiting = client.transport.operations_client._transport
            tame(waiting._session, is_local=is_loopback(host))
        return client

    @contextmanager
    def watching(self, doing: str, location: str) -> Iterator[None]:
        """Turn what the clients raise into our errors."""
        load("google.api_core.exceptions", package=_PACKAGE, extra="vertex")
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.protobuf.json_format import ParseError

        try:
            with self.rest.watching(doing, self.places.host(location)):
                yield
        except GoogleAPICallError as error:
            response = error.response
            body = getattr(response, "text", "") or str(error.message)
            wait_s = retry_after_s(getattr(response, "headers", {}).get("retry-after"))
            raise fault(
                int(error.code or 500),
                body,
                doing=doing,
                retry_after_s=wait_s,
                advice=self.rest.advice,
            ) from error
        except (ParseError, RetryError, TypeError, UnicodeDecodeError) as error:
            raise Unavailable(f"{doing}: the answer could not be read") from error
