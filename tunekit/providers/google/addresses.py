"""Where requests go: an endpoint as tunekit.yaml writes it, and whether it is this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tunekit.errors import ProviderError


def endpoint_of(options: Mapping[str, Any], key: str = "endpoint") -> str | None:
    """Return an option's URL without its last slash, None where it is not set.

    ProviderError for what is no https URL; plain http only to this machine, since requests carry
    credentials.
    """
    given = str(options.get(key) or "").strip()
    if not given:
        return None
    try:
        url = urlsplit(given)
        is_url = url.scheme in ("http", "https") and bool(url.hostname)
        is_url = is_url and not (url.query or url.fragment or url.username) and (url.port != 0)
    except ValueError:
        is_url = False
    if not is_url:
        raise ProviderError(
            f"tunekit.yaml: {key} is no URL; write one such as https://HOST or http://127.0.0.1:8085"
        )
    if url.scheme == "http" and not is_loopback(given):
        raise ProviderError(
            f"tunekit.yaml: {key} is plain http to {url.hostname}, which would show your "
            "credentials to the network; write https://…, or http:// to this machine only"
        )
    return given.rstrip("/")


def is_loopback(url: str | None) -> bool:
    """True for plain http to this machine, as an emulator's: asked without credentials or proxy."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "http":
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
