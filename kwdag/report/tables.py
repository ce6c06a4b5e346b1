"""Columns of values as lines of text: aligned, and folded where they are wider than the terminal.

What stands in the columns is the business of the other modules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kwdag.cells import is_missing

WIDTH = 80


def table_lines(columns: Mapping[str, Sequence[Any]], width: int = WIDTH, keys: int = 0) -> list[str]:
    """A table, flush right; one wider than ``width`` goes on below and repeats its first ``keys`` columns."""
    blocks = [_cells(name, list(values)) for name, values in columns.items()]
    fixed, lines = blocks[:keys], []
    for block in _folded(fixed, blocks[keys:], width):
        lines += ["".join(parts)[1:].rstrip() for parts in zip(*fixed, *block, strict=True)]
        lines.append("")
    return lines[:-1]


def _folded(fixed: list[list[str]], blocks: list[list[str]], width: int) -> Iterator[list[list[str]]]:
    room = width + 1 - sum(len(block[0]) for block in fixed)
    page: list[list[str]] = []
    for block in blocks:
        if page and sum(len(one[0]) for one in (*page, block)) > room:
            yield page
            page = []
        page.append(block)
    yield page


def _cells(name: str, values: list[Any]) -> list[str]:
    """The heading and the values of one column, all of one width; numbers stand a little further apart."""
    numeric = all(_is_number(value) or is_missing(value) for value in values)
    texts = [name, *(_numbers(values) if numeric else map(_text, values))]
    width = max(map(len, texts)) + (2 if numeric else 1)
    return [text.rjust(width) for text in texts]


def _numbers(values: list[Any]) -> list[str]:
    floats = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value) and value]
    style = ".6e" if floats and (min(floats) < 1e-5 or max(floats) >= 1e9) else ".6f"
    return [_number(value, style) for value in values]


def _number(value: Any, style: str) -> str:
    return format(value, style) if isinstance(value, float) and not math.isnan(value) else _text(value)


def _text(value: Any) -> str:
    if is_missing(value):
        return "NaN"
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
