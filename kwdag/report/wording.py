"""How names, values and chances are worded, and set as paragraphs. Text only, of no matter what."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from kwdag.report.labels import short_labels, shortened, value_text

_VALUE, _NAME = 28, 40


def wrapped(text: str, width: int) -> list[str]:
    """A paragraph set in by two columns; what is wider than a line stays whole, and so does `p = 0.01`."""
    lines = textwrap.wrap(
        re.sub(r"\bp ([=<]) ", "p\xa0\\1\xa0", text), width, initial_indent="  ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\xa0", " ") for line in lines]


def shown_name(column: str) -> str:
    return shortened(column.removeprefix("params."), _NAME)


def shown_values(values: Sequence[Any], base: str | None, width: int = _VALUE) -> list[str]:
    return short_labels([value_text(value, base) for value in values], width)


def p_text(p: float | None) -> str:
    """`= 0.03`, or that it is below one in a thousand.

    >>> [p_text(p) for p in (0.412, 0.0312, 0.00012)]
    ['= 0.41', '= 0.031', '< 0.001']
    """
    return "< 0.001" if p is not None and p < 0.001 else f"= {p:.2g}"
