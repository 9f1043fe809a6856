"""Who asks: found, impersonated, missing; endpoints that may not have credentials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.auth", reason="needs the extra vertex")

from tunekit.errors import ProviderError
from tunekit.providers.google.addresses import endpoint_of, is_loopback
from tunekit.providers.google.credentials import CLOUD_PLATFORM, credentials, kind_of

FILE = "GOOGLE_APPLICATION_CREDENTIALS"


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "adc.json"
    keys = {"client_id": "i", "client_secret": "canary", "refresh_token": "canary"}
    path.write_text(json.dumps({"type": "authorized_user", **keys}))
    monkeypatch.setenv(FILE, str(path))
    return path


def ask(environ: dict[str, str] | None = None, **options: Any) -> Any:
    return credentials(options, scopes=[CLOUD_PLATFORM], environ=environ or {})


def test_an_endpoint_on_this_machine_is_asked_anonymously() -> None:
    found = ask(endpoint="http://127.0.0.1:1")
    assert type(found).__name__ == "AnonymousCredentials"
    assert kind_of(found).startswith("none")


def test_default_credentials_carry_the_quota_project(user_file: Path) -> None:
    found = ask(quota_project="q")
    assert found.quota_project_id == "q"
    assert kind_of(found).startswith("a user's")


def test_impersonation_targets_the_service_account(user_file: Path) -> None:
    found = ask(impersonate="robot@p.iam.gserviceaccount.com", quota_project="q")
    assert found.service_account_email == "robot@p.iam.gserviceaccount.com"
    assert found.quota_project_id == "q"
    assert "robot@p" in kind_of(found)


def test_missing_credentials_say_how_to_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FILE, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(ProviderError, match="gcloud auth application-default login"):
        ask()


@pytest.mark.parametrize("text", ["", "{", '{"type": "canary"}', '{"type": "authorized_user"}'])
def test_a_bad_file_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "adc.json"
    path.write_text(text)
    monkeypatch.setenv(FILE, str(path))
    with pytest.raises(ProviderError) as caught:
        ask({FILE: str(path)})
    assert str(path) in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_so"),
    [
        ("http://127.0.0.1:8085", True),
        ("http://localhost:1", True),
        ("http://[::1]:1/x", True),
        ("https://127.0.0.1:1", False),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.1", False),
        ("127.0.0.1:1", False),
        ("http://[::1", False),
        (None, False),
    ],
)
def test_what_counts_as_this_machine(url: str | None, is_so: bool) -> None:
    assert is_loopback(url) is is_so


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://", "https://u:p@h", "http://h:99999"])
def test_an_endpoint_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ProviderError, match=r"tunekit\.yaml: endpoint is no URL"):
        endpoint_of({"endpoint": url})


def test_plain_http_goes_to_this_machine_only() -> None:
    with pytest.raises(ProviderError, match="plain http"):
        endpoint_of({"endpoint": "http://example.com"})
    assert endpoint_of({"endpoint": "http://127.0.0.1:1/"}) == "http://127.0.0.1:1"
    assert endpoint_of({"endpoint": "https://example.com/"}) == "https://example.com"
    assert endpoint_of({}) is None
