"""Providers against the emulator: its fixtures, offered here too."""

from tests.emulator.conftest import serve, service

__all__ = ["serve", "service"]
