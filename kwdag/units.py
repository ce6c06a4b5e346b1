"""Spans of time and amounts of memory as people write them; what is limited by them is told elsewhere."""

from __future__ import annotations

import re
from typing import Any

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def seconds(value: Any) -> float | None:
    """Seconds from a number, or `90s`, `30m`, `2h`, `1d`, `MM:SS`, `HH:MM:SS`, `D-HH:MM:SS`; None for None.

    Raises:
        ValueError: it is no span of time.

    >>> seconds("1.5h"), seconds("1-00:00:10"), seconds(None)
    (5400.0, 86410.0, None)
    """
    if value is None:
        return None
    text = str(value).strip()
    if unit := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text):
        return float(unit[1]) * _SECONDS[unit[2]]
    if clock := re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text):
        days, hours, minutes, last = (int(part or 0) for part in clock.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + last)
    raise ValueError(f"{value!r} is no span of time, such as 90s, 30m, 2h, 1d or 1-02:30:00")


def memory(value: Any) -> int:
    """Bytes from a number, or text such as `4G` or `500M` (powers of 1024).

    Raises:
        ValueError: it is no amount of memory.

    >>> memory("4G") == 4 * 2**30, memory(1024)
    (True, 1024)
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{value!r} is no amount of memory, such as 500M or 4G")
    return int(float(match[1]) * _BYTES[match[2].upper()])


def count(value: Any) -> int:
    """A whole number from 0 on; raises ValueError for anything else.

    >>> count("2")
    2
    """
    if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value).strip()):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)
