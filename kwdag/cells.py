"""Values of a table as files can hold them: JSON text for what is nested, escapes for what is no UTF-8."""

from __future__ import annotations

import json
import math
from typing import Any


def is_nested(value: Any) -> bool:
    return isinstance(value, list | tuple | dict)


def as_json(value: Any) -> str:
    """JSON that any reader can decode: in ASCII where the text is no UTF-8."""
    text = json.dumps(value, ensure_ascii=False, default=plain)
    return text if is_utf8(text) else json.dumps(value, default=plain)


def plain(value: Any) -> Any:
    """What JSON does not know: a number of numpy's as Python's own, anything else as text."""
    return value.item() if getattr(value, "ndim", None) == 0 else str(value)


def is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encodable(text: str) -> str:
    return text if is_utf8(text) else text.encode("utf-8", "backslashreplace").decode()


def is_missing(value: Any) -> bool:
    return (
        value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))
    )
