"""What the parameters do to a metric, in sentences and small tables that say what the data cannot tell.

Text only: the numbers come from effects.py and interactions.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kwdag import ranking
from kwdag.comparing import ALPHA, Comparison
from kwdag.effects import Effect, effects
from kwdag.interactions import Interaction, interaction, strongest_two
from kwdag.metrics import Metric, Metrics, scores
from kwdag.render import token
from kwdag.report.tables import WIDTH, table_lines
from kwdag.report.wording import p_text, shown_name, shown_values, wrapped
from kwdag.roles import Roles

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS, _FEW_ROWS = 24, 6
_HEADING, _LEAST = 12, 28
#: What the numbers of a table of values need beside the values.
_NUMBERS = 46


def effect_lines(
    table: pd.DataFrame, metrics: Metrics, roles: Roles, base: str | None = None, width: int = WIDTH
) -> Iterator[str]:
    """The effects on the first primary metric: sentences, the strongest effect first, and then tables."""
    if not metrics.primary or table.empty:
        return
    metric = metrics.primary[0]
    found = effects(table, metric, roles)
    yield from _sentences(table, metric, found, base, width)
    for effect in found if not _nothing(table, metric) else ():
        yield from _table(effect, metric, base, width)
    two = strongest_two(found)
    if two is not None and any(effect.test and effect.test.found for effect in found):
        yield from _interaction(interaction(table, metric, *two, roles), metric, base, width)


def _sentences(
    table: pd.DataFrame, metric: Metric, found: Sequence[Effect], base: str | None, width: int
) -> Iterator[str]:
    varied = list(ranking.basis(table).varied)
    if not varied:
        return
    yield f"Effects on {metric.name} ({'more' if metric.maximize else 'less'} is better):"
    nothing = _nothing(table, metric)
    if nothing:
        yield from wrapped(nothing, width)
        return
    for effect in found:
        yield from wrapped(sentence(effect, base), width)
    yield from _reasons(found, width)
    named = {name for effect in found for name in (effect.column, *effect.together)}
    others = [shown_name(name) for name in varied if name not in named]
    if others:
        yield from wrapped(f"not compared: {', '.join(others)}", width)


def _nothing(table: pd.DataFrame, metric: Metric) -> str:
    """Why no parameter can have an effect; nothing where one can."""
    values = scores(table[metric.column])
    known = values[values == values]
    if not len(known):
        return f"no row has a number for {metric.name}"
    return f"{metric.name} is the same in all rows" if (known == known[0]).all() else ""


def _reasons(found: Sequence[Effect], width: int) -> Iterator[str]:
    """Why tests are not paired, once for all that share the reason."""
    unpaired: dict[str, list[str]] = {}
    for effect in found:
        if effect.test and effect.test.reason:
            unpaired.setdefault(effect.test.reason, []).append(shown_name(effect.column))
    for reason, names in unpaired.items():
        yield from wrapped(f"unpaired, since {reason}: {', '.join(names)}", width)


# -- sentences -------------------------------------------------------------------------------------


def sentence(effect: Effect, base: str | None = None) -> str:
    """What the test of one parameter says, or why there is none."""
    name, test = shown_name(effect.column), effect.test
    others = ", ".join(map(shown_name, effect.together))
    always = f" (always together with {others})" if others else ""
    if test is None:
        return f"{name}{always} is not tested: {effect.reason}"
    if test.p is None:
        question = f"to tell whether {name}{always} matters"
        return (
            f"too few {_unit(test)} ({test.n}) {question}: the smallest p possible is {test.smallest_p:.2g}"
        )
    if not test.found:
        return f"the data cannot tell whether {name}{always} matters ({_p_before(test)}, {_counted(test)})"
    told = [_p_after(test), f"{_size_name(test)} {test.size:.2f}"]
    told += [_counted(test)] if test.kind != "paired" else []
    or_else = f"; it may as well be {others}, always together with it" if others else ""
    return f"{name} matters: {_winner(test, base)} ({', '.join(told)}){or_else}"


def _counted(test: Comparison) -> str:
    return f"{test.n:,} {_unit(test)}{' unpaired' if test.kind == 'unpaired' else ''}"


def _unit(test: Comparison) -> str:
    if test.kind != "paired":
        return "rows"
    return "pairs" if len(test.compared) == 2 else "blocks"


def _winner(test: Comparison, base: str | None) -> str:
    if not test.compared:
        return "more of it is better" if test.size > 0 else "less of it is better"
    labels = shown_values(test.compared, base)
    if test.kind == "unpaired":
        return f"{labels[0]} is best, then {labels[1]}"
    beats = f"beats {labels[1]} in {test.won:,} of {test.met:,}"
    ties = f" ({test.tied:,} ties)" if test.tied > 1 else " (1 tie)" if test.tied else ""
    if len(labels) == 2:
        often = "" if 2 * test.won >= test.met - test.tied else ", there by more"
        return f"{labels[0]} {beats} pairs{ties}{often}"
    wins, blocks = test.wins[0]
    return f"{labels[0]} is best in {wins:,g} of {blocks:,} blocks, {beats}{ties}"


def _size_name(test: Comparison) -> str:
    if test.kind == "trend":
        return "rank correlation"
    if len(test.compared) == 2:
        return "rank-biserial"
    return "Kendall's W" if test.kind == "paired" else "epsilon squared"


def _p_after(test: Comparison) -> str:
    after = f" after Holm over {test.family} parameters" if test.family > 1 else ""
    return f"p {p_text(test.p_adjusted)}{after}"


def _p_before(test: Comparison) -> str:
    assert test.p is not None
    if test.p > ALPHA:
        return f"p {p_text(test.p)}"
    adjusted = p_text(test.p_adjusted).removeprefix("= ")
    return f"p {p_text(test.p)}, but {adjusted} after Holm over {test.family} parameters"


# -- tables ----------------------------------------------------------------------------------------


def _table(effect: Effect, metric: Metric, base: str | None, width: int) -> Iterator[str]:
    """Mean and best of each value, the best mean last; wins where they are many enough to say something."""
    yield f"Effect of {effect.column} on {metric.name}:"
    compared = effect.test is not None and bool(effect.test.compared)
    levels = effect.levels[-(_MOST_ROWS if compared or len(effect.levels) <= _MOST_ROWS else _FEW_ROWS) :]
    columns: dict[str, list[Any]] = {
        "value": shown_values([level.value for level in levels], base, max(_LEAST, width - _NUMBERS)),
        "rows": [level.rows for level in levels],
        "mean": [level.mean for level in levels],
        "best": [level.best for level in levels],
    }
    if effect.test and effect.test.kind == "paired" and effect.test.p is not None:
        columns["wins"] = [
            "-" if level.wins is None else f"{level.wins:,.4g}/{level.blocks:,}" for level in levels
        ]
    yield from table_lines(columns, width)
    hidden = len(effect.levels) - len(levels)
    if hidden:
        yield f"... {hidden:,} more values with {'lower' if metric.maximize else 'higher'} means"


def _interaction(found: Interaction, metric: Metric, base: str | None, width: int) -> Iterator[str]:
    row, column = shown_name(found.row), shown_name(found.column)
    yield f"Mean {metric.name} by {row} (rows) and {column} (columns):"
    names = shown_values(found.rows, base)
    headings = shown_values(found.columns, base, _HEADING)
    table: dict[str, list[Any]] = {"": list(names)}
    table |= {heading: [means[i] for means in found.means] for i, heading in enumerate(headings)}
    yield from table_lines(table, width, keys=1)
    yield from wrapped(_depends(found, row, column, base), width)


def _depends(found: Interaction, row: str, column: str, base: str | None) -> str:
    """Whether the best value of one depends on the other."""
    if found.p is None:
        what = f"whether the best {column} depends on {row}"
        if not found.blocks:
            n = len(found.rows) * len(found.columns)
            return f"nothing tells {what}: nowhere, all else equal, are there all {n} pairs of values"
        few = f"{found.blocks} block{'s' if found.blocks > 1 else ''}"
        return f"too few blocks to tell {what}: {few}, the smallest p possible is {found.smallest_p:.2g}"
    told = f"p {p_text(found.p)}, {found.blocks:,} blocks"
    if not found.found:
        return f"the data cannot tell whether the best {column} depends on {row} ({told})"
    labels = dict(zip(map(token, found.columns), shown_values(found.columns, base), strict=True))
    bests = [labels.get(token(best), "none") for best in found.best]
    if len(set(bests)) == 1:
        return f"the effect of {column} depends on {row} ({told}), but {bests[0]} is best on average for all"
    each = zip(bests, shown_values(found.rows, base), strict=True)
    pairs = ", ".join(f"{best} for {value}" for best, value in each)
    return f"the best {column} depends on {row} ({told}); on average it is {pairs}"
