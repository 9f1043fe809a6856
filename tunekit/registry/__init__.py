"""What tunekit remembers: one SQLite file."""

from tunekit.registry.evaluations import AnsweredRow
from tunekit.registry.lock import ApplierLock, Holder
from tunekit.registry.store import Registry

__all__ = ["AnsweredRow", "ApplierLock", "Holder", "Registry"]
