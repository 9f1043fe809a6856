"""What stands in the way of using the Gemini API, looked at one thing after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunekit.errors import ProviderError
from tunekit.model import Diagnosis
from tunekit.providers.gemini_api import reading
from tunekit.providers.gemini_api.access import EXTRA, Access
from tunekit.providers.gemini_api.service import Service
from tunekit.providers.google.credentials import kind_of
from tunekit.providers.google.faults import diagnosis

_PACKAGE = "google-generativeai"
_NOT_ASKED = "not looked at, since the line above failed"


def diagnose(access: Access, service: Service, base_models: Sequence[str]) -> Iterator[Diagnosis]:
    """Yield what was found of the package, the credentials, the service and the base models."""
    for step in (_package, _credentials, _calls):
        found = step(access, service)
        yield found
        if not found.is_ok:
            return
    yield from _bases(access, service, base_models)


def _package(access: Access, service: Service) -> Diagnosis:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Diagnosis(_PACKAGE, True, f"version {version(_PACKAGE)} is installed")
    except PackageNotFoundError:
        remedy = f"run: pip install 'tunekit[{EXTRA}]'"
        return Diagnosis(_PACKAGE, False, "is not installed", remedy)


def _credentials(access: Access, service: Service) -> Diagnosis:
    try:
        signer = access.signer()
    except ProviderError as error:
        return diagnosis("credentials", error)
    if access.api_key_env:
        return Diagnosis("credentials", True, f"the API key in {access.api_key_env}")
    return Diagnosis("credentials", True, kind_of(signer))


def _calls(access: Access, service: Service) -> Diagnosis:
    subject = f"Gemini API at {access.url}"
    try:
        newest = next(service.tuned_models(), None)
    except ProviderError as error:
        return diagnosis(subject, error)
    return Diagnosis(
        subject, True, "lists tuned models" + (", of which it has none" if newest is None else "")
    )


def _bases(access: Access, service: Service, base_models: Sequence[str]) -> Iterator[Diagnosis]:
    try:
        tunable = {
            reading.base_name(str(model.get("name")))
            for model in service.base_models()
            if "createTunedModel" in (model.get("supportedGenerationMethods") or ())
        }
    except ProviderError as error:
        yield diagnosis("base models", error)
        return
    if not tunable:
        remedy = "write `provider: vertex`, or set `endpoint` to a `tunekit emulator`"
        yield Diagnosis("base models", False, "none can be tuned there", remedy)
        return
    yield Diagnosis("base models", True, f"{len(tunable)} can be tuned there")
    for model in base_models:
        is_tunable = reading.base_name(model) in tunable
        fact = "can be tuned" if is_tunable else "can not be tuned there"
        remedy = "" if is_tunable else f"write {' or '.join(sorted(tunable)[:5])}"
        yield Diagnosis(f"base model {model}", is_tunable, fact, remedy)
