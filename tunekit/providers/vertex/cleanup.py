"""Tuned models, removed with the endpoints that tuning made for them.

Undeploy, delete the endpoint, delete the model: a model is not deleted while it is deployed. Each
is an operation that is waited for. https://cloud.google.com/vertex-ai/docs/reference/rest
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tunekit.errors import NotFound, Unavailable
from tunekit.providers.vertex.gapic import Clients
from tunekit.providers.vertex.places import ENDPOINT, MODEL, require
from tunekit.providers.vertex.wire import TOKEN_LABEL

# Labels of what tuning makes: ours, and the one by which google-genai lists tuned models.
_MADE_BY_TUNING = (TOKEN_LABEL, "tune-type")
_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Removes models; `_begun` keeps the endpoints of those that a failed call left half removed.

    An endpoint that was undeployed is not among its model's any more.
    """

    clients: Clients
    _begun: dict[str, set[str]] = field(default_factory=dict)

    def delete_model(self, name: str) -> None:
        """Remove one version of a tuned model, and the model with its last; fine if it is gone.

        Endpoints that somebody else made stay, without the model.
        """
        require(name, MODEL, "model")
        model, _, version = name.partition("@")
        location = model.split("/")[3]
        models = self.clients.of("model_service", location)
        try:
            with self.clients.watching(f"read {name}", location):
                found = models.get_model(name=name, **self.clients.options())
                versions = list(models.list_model_versions(name=model, **self.clients.options()))
        except NotFound:
            return
        number = found.version_id or version
        is_last = len(versions) <= 1
        left = self._begun.setdefault(name, set())
        left.update(ref.endpoint for ref in found.deployed_models)
        for place in sorted(left):
            self._clear_endpoint(place, found.name.partition("@")[0], number)
            left.discard(place)
        try:
            with self.clients.watching(f"delete {name}", location):
                if is_last:
                    self._wait(models.delete_model(name=model, **self.clients.options()), name)
                else:
                    one = f"{model}@{number}"
                    done = models.delete_model_version(name=one, **self.clients.options())
                    self._wait(done, name)
        except NotFound:
            return

    def _clear_endpoint(self, place: str, model: str, version: str) -> None:
        require(place, ENDPOINT, "endpoint")
        location = place.split("/")[3]
        endpoints = self.clients.of("endpoint_service", location)
        try:
            with self.clients.watching(f"undeploy from {place}", location):
                found = endpoints.get_endpoint(name=place, **self.clients.options())
                mine = [d for d in found.deployed_models if _is_of(d, model, version)]
                for deployed in mine:
                    request = {"endpoint": place, "deployed_model_id": deployed.id}
                    done = endpoints.undeploy_model(request=request, **self.clients.options())
                    self._wait(done, place)
            is_empty = len(mine) == len(found.deployed_models)
            if is_empty and any(label in found.labels for label in _MADE_BY_TUNING):
                with self.clients.watching(f"delete {place}", location):
                    done = endpoints.delete_endpoint(name=place, **self.clients.options())
                    self._wait(done, place)
        except NotFound:
            return

    def _wait(self, operation: Any, what: str) -> None:
        from concurrent.futures import TimeoutError as Late

        try:
            operation.result(timeout=_PATIENCE_S)
        except Late as error:
            raise Unavailable(f"{what}: still being removed after {_PATIENCE_S:g} s") from error


def _is_of(deployed: Any, model: str, version: str) -> bool:
    """True where this is our version; project ids and numbers both occur in names."""
    named, _, written = str(deployed.model).partition("@")
    is_model = named.split("/")[2:] == model.split("/")[2:]
    return is_model and (deployed.model_version_id or written or version) == version
