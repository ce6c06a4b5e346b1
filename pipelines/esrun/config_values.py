"""Values out of a user's file: of the kind that is wanted, or one sentence that names the key.

What the keys mean does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput


def known_keys(spec: Any, keys: tuple[str, ...], where: str) -> None:
    """Raise BadInput unless ``spec`` is a mapping with no other than these ``keys``."""
    if not isinstance(spec, Mapping):
        raise BadInput(f"{where}: must be a mapping, not {spec!r}")
    for name in spec:
        if name not in keys:
            raise BadInput(f"{where}: {name!r} is not supported", hint=did_you_mean(str(name), keys))


def one_of(value: Any, choices: tuple[Any, ...], key: str) -> Any:
    """The value. Raises BadInput: it is none of the choices."""
    if value not in choices:
        raise BadInput(f"{key}: {value!r} is not supported", hint=f"one of {', '.join(map(str, choices))}")
    return value


def whole(value: Any, key: str, least: int, most: int = 2**31) -> int:
    """The value. Raises BadInput: it is no whole number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(f"{key}: must be a whole number, at least {least}, not {value!r}")
    if value > most:
        raise BadInput(f"{key}: must be a whole number, at most {most}, not {value!r}")
    return value


def listed(value: Any, key: str) -> list[Any]:
    """The value, or an empty list for None. Raises BadInput: it is no list."""
    if not isinstance(value, list | None):
        raise BadInput(f"{key}: must be a list, not {value!r}")
    return value or []


def is_number(value: Any) -> bool:
    """Whether it is a finite number; JSON files may have others."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
