"""JSON at the speed of orjson, with the meaning and the faults of `jsontext`."""

from __future__ import annotations

from typing import Any

import orjson

from tunekit.dataset.jsontext import DECODER

# Past this, orjson reads a whole number as the nearest float.
_EXACT = 2.0**63

dumps = orjson.dumps
# `loads` for objects that hold no float, without its care; a ValueError says to look closer.
quick_loads = orjson.loads
append_newline = orjson.OPT_APPEND_NEWLINE


def loads(raw: bytes) -> dict[str, Any]:
    """Return the object that UTF-8 JSON holds.

    Its own numbers are exact; only they become text. ValueError (TypeError if it is no object),
    UnicodeDecodeError or RecursionError for what is none.
    """
    try:
        values: dict[str, Any] = orjson.loads(raw)
        if float not in map(type, values.values()):
            return values
    except (orjson.JSONDecodeError, AttributeError):
        # It refuses a little more, half surrogates for one, and words its faults by the text.
        return _carefully(raw)
    is_exact = all(type(v) is not float or -_EXACT < v < _EXACT for v in values.values())
    return values if is_exact else _carefully(raw)


def _carefully(raw: bytes) -> dict[str, Any]:
    value = DECODER.decode(str(raw, "utf-8"))
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value
