"""Tuning by the Gemini API's `tunedModels`; an API key or Google credentials, no project."""

from tunekit.providers.gemini_api.provider import open_provider

__all__ = ["open_provider"]
