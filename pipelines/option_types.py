"""Kinds of values of options: what `float` and `int` let through that no program can use.

The options themselves stand with the programs.
"""

from __future__ import annotations

import math
from typing import Any

import click

STATION_ID = click.IntRange(0, 2**31 - 1)  # as the database counts
SEED = click.IntRange(0, 2**32 - 1)  # what pandas, numpy and torch all take


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
