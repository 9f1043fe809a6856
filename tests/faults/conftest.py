from tests.emulator.conftest import serve

__all__ = ["serve"]
