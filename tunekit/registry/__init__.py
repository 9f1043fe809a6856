"""What tunekit remembers: one SQLite file."""

from tunekit.registry.lock import ApplierLock, Holder
from tunekit.registry.store import Registry

__all__ = ["ApplierLock", "Holder", "Registry"]
