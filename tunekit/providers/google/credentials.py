"""Who asks: Application Default Credentials, impersonation, a quota project.

Source: https://cloud.google.com/docs/authentication/application-default-credentials
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunekit.errors import MissingExtra, ProviderError
from tunekit.providers.google.addresses import endpoint_of, is_loopback

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"

_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_LIFETIME_S = 3600


def credentials(
    options: Mapping[str, Any],
    *,
    scopes: Sequence[str],
    environ: Mapping[str, str],
    extra: str = "vertex",
    login: str = "",
) -> Credentials:
    """Return what signs requests; asks no service but, on Google Cloud, the metadata server.

    An endpoint on this machine gets anonymous credentials, and nobody is asked. Options:
    `impersonate` (a service account's e-mail), `quota_project`. ProviderError says how to log in:
    by `login`, or by the command for `scopes`.
    """
    try:
        from google.auth.credentials import AnonymousCredentials
    except ModuleNotFoundError as error:
        raise MissingExtra(needs="google-auth", extra=extra) from error
    if is_loopback(endpoint_of(options)):
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    quota_project = str(options.get("quota_project") or "") or None
    target = str(options.get("impersonate") or "")
    login = login or login_command(scopes)
    if not target:
        return _default(scopes, quota_project, environ, login=login)
    from google.auth import impersonated_credentials

    source = _default([CLOUD_PLATFORM], None, environ, login=login_command([CLOUD_PLATFORM]))
    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=source,
        target_principal=target,
        target_scopes=list(scopes),
        lifetime=_LIFETIME_S,
        quota_project_id=quota_project,
    )


def kind_of(signer: Credentials) -> str:
    """Say in words what kind of credentials these are, with the account where they know it."""
    known = {
        "AnonymousCredentials": "none (an endpoint on this machine)",
        "google.oauth2.credentials": "a user's (gcloud auth application-default login)",
        "google.oauth2.service_account": "a service account's key",
        "google.auth.compute_engine.credentials": "the machine's service account",
        "google.auth.impersonated_credentials": "an impersonated service account's",
        "google.auth.identity_pool": "workload identity federation",
        "google.auth.aws": "workload identity federation (AWS)",
        "google.auth.pluggable": "workload identity federation (executable)",
    }
    kind = type(signer)
    words = known.get(kind.__name__) or known.get(kind.__module__) or kind.__name__
    # A user's have `account`, empty unless gcloud wrote it; the metadata server's say "default".
    mail = getattr(signer, "service_account_email", "") or getattr(signer, "account", "")
    return f"{words}: {mail}" if isinstance(mail, str) and "@" in mail else words


def login_command(scopes: Sequence[str]) -> str:
    """Return the command that makes Application Default Credentials with these scopes."""
    # cloud-platform is what gcloud asks for by itself.
    if list(scopes) == [CLOUD_PLATFORM]:
        return "gcloud auth application-default login"
    wanted = ",".join(dict.fromkeys([CLOUD_PLATFORM, *scopes]))
    return f"gcloud auth application-default login --scopes={wanted}"


def _default(
    scopes: Sequence[str], quota_project: str | None, environ: Mapping[str, str], *, login: str
) -> Credentials:
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        with warnings.catch_warnings():
            # Of a missing quota project: `doctor` and a refusal's text say it better.
            warnings.simplefilter("ignore")
            found, _ = google.auth.default(scopes=list(scopes), quota_project_id=quota_project)
    except (GoogleAuthError, OSError, ValueError) as error:
        raise ProviderError(_missing(login, environ)) from error
    return found


def _missing(login: str, environ: Mapping[str, str]) -> str:
    if path := environ.get(_FILE):
        return (
            f"{_FILE} names {path}, which holds no credentials that can be used; correct it, or "
            f"unset it and run: {login}"
        )
    return (
        "no Google credentials were found (Application Default Credentials); run: "
        f"{login}, or let {_FILE} name a service account's key file"
    )
