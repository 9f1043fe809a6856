"""How one profile reaches the Gemini API: where, as whom, and what a refusal asks for.

Sources: https://ai.google.dev/gemini-api/docs/oauth, https://ai.google.dev/gemini-api/docs/api-key
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.errors import ProviderError
from tunekit.providers.google.addresses import endpoint_of, is_loopback
from tunekit.providers.google.credentials import CLOUD_PLATFORM, credentials
from tunekit.providers.google.faults import Advice, Refused, fault, read_refusal

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

EXTRA = "gemini-api"
SERVICE = "generativelanguage.googleapis.com"
TUNING_SCOPE = "https://www.googleapis.com/auth/generative-language.tuning"
_SCOPES = (CLOUD_PLATFORM, TUNING_SCOPE)
_RETRIEVER_SCOPE = "https://www.googleapis.com/auth/generative-language.retriever"
# gcloud's own client may not ask for these scopes: the guide has one make an OAuth client.
LOGIN = (
    "gcloud auth application-default login --client-id-file=client_secret.json "
    f"--scopes={','.join((*_SCOPES, _RETRIEVER_SCOPE))}"
)


@dataclass(frozen=True, slots=True)
class Access:
    """A profile of `tunekit.yaml`, read. `endpoint` None: Google's own."""

    options: Mapping[str, Any]
    environ: Mapping[str, str]
    endpoint: str | None
    api_key_env: str
    timeout_s: float

    @classmethod
    def of(cls, options: Mapping[str, Any], environ: Mapping[str, str]) -> Access:
        """Return what the options say; asks for no credential. ProviderError for a bad endpoint."""
        return cls(
            options=options,
            environ=environ,
            endpoint=endpoint_of(options),
            api_key_env=str(options.get("api_key_env") or ""),
            timeout_s=float(options.get("request_timeout_s") or 60.0),
        )

    @property
    def url(self) -> str:
        return self.endpoint or f"https://{SERVICE}"

    @property
    def is_local(self) -> bool:
        """True for an emulator on this machine: no proxy, and no credential unless one is named."""
        return is_loopback(self.endpoint)

    @property
    def is_live(self) -> bool:
        """True where requests go to Google itself."""
        return self.url.partition("://")[2].partition("/")[0].partition(":")[0] == SERVICE

    @property
    def advice(self) -> Advice:
        """Return what a refused account needs."""
        return Advice(
            login=LOGIN,
            scope=TUNING_SCOPE,
            role="of an owner or reader of that tuned model",
            service=SERVICE,
        )

    def signer(self) -> Credentials:
        """Return the API key that `api_key_env` names, or Google credentials. ProviderError."""
        if not self.api_key_env:
            return credentials(
                self.options,
                scopes=_SCOPES,
                environ=self.environ,
                extra=EXTRA,
                login=LOGIN,
            )
        from google.auth import api_key

        key = self.environ.get(self.api_key_env, "").strip()
        if not key:
            raise ProviderError(
                f"{self._variable} is not set; put a Gemini API key into it, or remove "
                "api_key_env from tunekit.yaml to use Google credentials"
            )
        if not key.isascii() or not key.isprintable():
            raise ProviderError(f"{self._variable} holds no API key: it has characters none has")
        return api_key.Credentials(key)  # type: ignore[no-untyped-call]

    @property
    def _variable(self) -> str:
        # A key that was written where its variable's name belongs is not shown.
        name = self.api_key_env
        if name.startswith("AIza") or not name.isidentifier():
            return "the environment variable that api_key_env in tunekit.yaml should name"
        return f"the environment variable {name} (api_key_env in tunekit.yaml)"

    def refusal(
        self,
        status: int,
        body: str,
        *,
        doing: str,
        is_submit: bool,
        retry_after_s: float | None,
        hidden: str = "",
    ) -> ProviderError:
        """Return what an HTTP answer of 400 or more means, with what to do about it.

        A message that repeats what was sent in `hidden`, a row's text, is left out.
        """
        is_keyed = bool(self.api_key_env)
        found = fault(
            status,
            body,
            doing=doing,
            is_submit=is_submit,
            retry_after_s=retry_after_s,
            advice=None if is_keyed else self.advice,
            hidden=hidden,
        )
        is_about_key = status in (401, 403) or "API_KEY_INVALID" in read_refusal(body).reasons
        if is_keyed and is_about_key:
            text = (
                f"{found}; the key of {self._variable} was used: correct it, or, since some calls "
                f"on tuned models take no key, remove api_key_env and run: {LOGIN}"
            )
            return Refused(text, status)
        if status == 403 and LOGIN not in str(found):
            return Refused(f"{found}; such credentials come from: {LOGIN}", status)
        return found
