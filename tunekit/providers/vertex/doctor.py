"""What stands between this machine and tuning on Vertex AI; asks, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import chain

from tunekit.errors import NotFound, ProviderError
from tunekit.model import Diagnosis
from tunekit.providers.google.credentials import kind_of
from tunekit.providers.google.faults import diagnosis
from tunekit.providers.google.rest import Rest
from tunekit.providers.vertex import limits
from tunekit.providers.vertex.places import MODEL, base_name
from tunekit.providers.vertex.profile import Profile
from tunekit.providers.vertex.storage import ROLE, Store

_PACKAGES = ("google-auth", "requests", "google-cloud-storage", "google-cloud-aiplatform")


def diagnose(
    profile: Profile,
    base_models: Sequence[str],
    *,
    rest: Callable[[], Rest],
    store: Callable[[], Store],
) -> Iterator[Diagnosis]:
    """Yield one line a thing; stops asking where an earlier line makes it pointless."""
    missing = False
    for package in _PACKAGES:
        line = _package(package)
        missing = missing or not line.is_ok
        yield line
    faults = list(profile.problems(needs_bucket=True))
    for problem in faults:
        yield Diagnosis("tunekit.yaml", False, problem.fact, problem.remedy)
    if not missing:
        yield from _online(profile, rest=rest, store=store)
    yield from chain.from_iterable(_base(model, profile.location) for model in base_models)


def _package(name: str) -> Diagnosis:
    try:
        return Diagnosis(f"package {name}", True, version(name))
    except PackageNotFoundError:
        return Diagnosis(f"package {name}", False, "is missing", "pip install 'tunekit[vertex]'")


def _online(
    profile: Profile, *, rest: Callable[[], Rest], store: Callable[[], Store]
) -> Iterator[Diagnosis]:
    try:
        yield Diagnosis("credentials", True, kind_of(rest().signer()))
    except ProviderError as error:
        yield diagnosis("credentials", error)
        return
    has_place = next(profile.problems(needs_bucket=False), None) is None
    if has_place:
        yield _project(profile, rest())
    if has_place and profile.bucket:
        yield _bucket(profile, store())


def _project(profile: Profile, rest: Rest) -> Diagnosis:
    subject = f"project {profile.project} in {profile.location}"
    places = profile.places
    url = f"{places.host(profile.location)}/v1beta1/{places.parent}/tuningJobs"
    try:
        rest.call("GET", url, query={"pageSize": "1"}, doing="list tuning jobs")
    except ProviderError as error:
        return diagnosis(subject, error)
    return Diagnosis(subject, True, "answers, and lets you list tuning jobs")


def _bucket(profile: Profile, store: Store) -> Diagnosis:
    subject = f"bucket {profile.bucket}"
    try:
        where, lacking = store.about_bucket()
    except NotFound:
        fact = f"gs://{profile.bucket} does not exist, or is not shown to you"
        return Diagnosis(subject, False, fact, store.create_command())
    except ProviderError as error:
        return diagnosis(subject, error)
    if lacking:
        fact = f"is in {where}; you lack {', '.join(lacking)}"
        return Diagnosis(subject, False, fact, f"get the role {ROLE} on gs://{profile.bucket}")
    rights = "your rights there can't be looked at" if lacking is None else "you may write to it"
    return Diagnosis(subject, True, f"is in {where}; {rights}")


def _base(model: str, location: str) -> Iterator[Diagnosis]:
    subject = f"base model {model}"
    if MODEL.fullmatch(model):
        yield Diagnosis(subject, None, "a tuned model; whether it is there is not looked at")
        return
    known = limits.BASE_MODELS.get(base_name(model) or "")
    if known is None:
        fact = f"is not in tunekit's table of {limits.AS_OF}"
        yield Diagnosis(subject, None, fact, f"see {limits.SUPERVISED_URL}")
    elif known.retired:
        fact = f"was to be retired on {known.retired}"
        # As for plan, the service has the last word.
        remedy = f"write {' or '.join(limits.current())}; see {limits.VERSIONS_URL}"
        yield Diagnosis(subject, None, fact, remedy)
    elif known.tuned_in and location and location not in known.tuned_in:
        fact = f"is not tuned in {location}"
        yield Diagnosis(subject, False, fact, f"set location to {' or '.join(known.tuned_in)}")
    else:
        price = f"{known.usd_per_million_tokens:g} USD per million training tokens"
        yield Diagnosis(subject, True, f"can be tuned (table of {limits.AS_OF}; about {price})")
