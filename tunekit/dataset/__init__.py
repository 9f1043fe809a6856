"""Data sets: source -> rows -> columns -> prompt -> take -> shuffle -> split.

Everything streams: a row is read, rendered and handed on, and read again when it is needed again.
Only a shuffle holds rows in memory, and only those that a split uses.
"""

from tunekit.dataset.checks import check
from tunekit.dataset.hub import pinned, resolve
from tunekit.dataset.hub_api import is_commit
from tunekit.dataset.prepared import from_record, prepare, preview, source_key, to_record
from tunekit.dataset.render import render

__all__ = [
    "check",
    "from_record",
    "is_commit",
    "pinned",
    "prepare",
    "preview",
    "render",
    "resolve",
    "source_key",
    "to_record",
]
