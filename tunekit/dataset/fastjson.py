"""JSON at the speed of orjson, with the meaning and the faults of `jsontext`."""

from __future__ import annotations

from typing import Any

import orjson

from tunekit.dataset.jsontext import DECODER

# Past this, orjson reads a whole number as the nearest float.
_EXACT = 2.0**63

dumps = orjson.dumps
append_newline = orjson.OPT_APPEND_NEWLINE


def loads(raw: bytes) -> Any:
    """Return what UTF-8 JSON holds. UnicodeDecodeError, ValueError or RecursionError if it can't.

    Top-level numbers are exact; they are the only ones that become text.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        # It refuses a little more, half surrogates for one, and words its faults by the text.
        return DECODER.decode(str(raw, "utf-8"))
    if (
        type(value) is dict
        and float in map(type, value.values())
        and any(type(v) is float and not -_EXACT < v < _EXACT for v in value.values())
    ):
        return DECODER.decode(str(raw, "utf-8"))
    return value
