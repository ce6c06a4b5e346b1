"""Kinds of values of options: what `float` and `int` let through that no program can use.

The options themselves stand with the programs.
"""

from __future__ import annotations

import math
from typing import Any

import click

STATION_ID = click.IntRange(0, 2**31 - 1)  # as the database counts
SEED = click.IntRange(0, 2**32 - 1)  # what pandas, numpy and torch all take
NONE = ("none", "null", "")  # how an option says that there is nothing


def given(text: str | None) -> str | None:
    """The value of an option that may say `none`, which is None then.

    >>> given("aux"), given("None"), given(None)
    ('aux', None, None)
    """
    return None if text is None or text.strip().lower() in NONE else text


class Finite(click.FloatRange):
    """A range of numbers: nan, which compares with nothing, and infinity are in none.

    >>> Finite(0).convert("nan", None, None)
    Traceback (most recent call last):
    click.exceptions.BadParameter: 'nan' is not a finite number.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Threshold(click.ParamType):
    """A number from 0 to 1, or none.

    >>> Threshold().convert("0.2", None, None), Threshold().convert("none", None, None)
    (0.2, None)
    """

    name = "number|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """A number, or None. Raises BadParameter: it is neither in range nor none."""
        if value is None or given(str(value)) is None:
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            self.fail(f"{value!r} is neither a number from 0 to 1 nor none", param, ctx)
        return number
