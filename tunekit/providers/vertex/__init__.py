"""Tuning on Vertex AI, since 2026 also called the Gemini Enterprise Agent Platform."""

from tunekit.providers.vertex.provider import open_provider

__all__ = ["open_provider"]
