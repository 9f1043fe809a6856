"""Plain data -> YAML that this package, and any other reader, takes back as the same data."""

from __future__ import annotations

import functools
from typing import Any

from tunekit.spec.scalars import BadScalar, resolve


def to_yaml(value: Any, *, is_unicode: bool = True) -> str:
    """Return plain data as block-style YAML, keys in their order; `is_unicode` False: as ASCII."""
    import yaml

    text: str = yaml.dump(
        value,
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=is_unicode,
        default_flow_style=False,
        width=2**20,
    )
    # A lone scalar would be followed by the end-of-document mark.
    return text.removesuffix("...\n")


@functools.cache
def _dumper() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper: Any = type("Dumper", (base,), {"ignore_aliases": lambda self, data: True})
    dumper.add_multi_representer(str, _text)
    dumper.add_representer(str, _text)
    return dumper


def _text(dumper: Any, text: str) -> Any:
    """Quote what either YAML 1.1 (PyYAML's own rule) or 1.2 would take for something else."""
    style = None
    if "\n" in text:
        style = "|"
    elif not _stays_text(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


def _stays_text(text: str) -> bool:
    try:
        return isinstance(resolve(text), str)
    except BadScalar:
        return False
