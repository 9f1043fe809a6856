"""Tuning on this machine: real training of small models in detached worker processes."""

from tunekit.providers.local.provider import open_provider

__all__ = ["open_provider"]
