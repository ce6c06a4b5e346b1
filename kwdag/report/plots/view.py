"""One node's table as all its pictures see it: metrics as numbers, the strongest parameters first, colours.

Prepares; draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric, Metrics, scores
from kwdag.report import varied
from kwdag.report.labels import clean, shortened
from kwdag.report.plots.canvas import GREY
from kwdag.report.varied import Varied
from kwdag.roles import Roles

if TYPE_CHECKING:
    import pandas as pd

#: More regions than this cannot be told apart by colour.
_COLOURS = 8
OTHER = "other regions"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """What there is to draw of one node.

    Attributes:
        primary: the primary metrics, those alone whose values differ.
        shown: those and the ones on display, the primary ones first.
        parameters: what varied, the strongest on the first primary metric first.
        regions: the name of each row's region; of many only the most frequent ones, the rest is ``OTHER``.
    """

    node: str
    table: pd.DataFrame
    primary: tuple[Metric, ...]
    shown: tuple[Metric, ...]
    parameters: tuple[Varied, ...]
    regions: pd.Series
    base: str | None = None

    @classmethod
    def of(
        cls, node: str, table: pd.DataFrame, metrics: Metrics, roles: Roles, base: str | None = None
    ) -> View:
        known = {m.column: m for m in (*metrics.primary, *metrics.display) if _drawable(table, m)}
        primary = tuple(m for m in metrics.primary if m.column in known)
        parameters = varied.strongest_first(table, Metrics(primary), roles, base=base)
        return cls(node, table, primary, tuple(known.values()), tuple(parameters), _regions(table), base)

    def values(self, metric: Metric) -> varied.Floats:
        """A metric's numbers, NaN where there is none or it is infinite."""
        import numpy as np

        values = scores(self.table[metric.column])
        return np.where(np.isfinite(values), values, np.nan)

    def colours(self) -> dict[str, Any]:
        """Region -> colour, safe for colour-blind eyes, in order of names."""
        import seaborn

        names = sorted(set(self.regions) - {OTHER})
        return dict(zip(names, seaborn.color_palette("colorblind", _COLOURS), strict=False)) | {OTHER: GREY}

    def markers(self) -> dict[str, str]:
        return dict(zip(self.colours(), MARKERS, strict=False)) | {OTHER: "o"}

    def missing(self, values: varied.Floats, name: str) -> list[str]:
        """A note on rows that cannot be drawn."""
        import numpy as np

        n = int((~np.isfinite(values)).sum())
        return [f"{n:,} of {len(values):,} rows without a finite {name} are not shown."] if n else []


def _drawable(table: pd.DataFrame, metric: Metric) -> bool:
    """Whether there is something to see: two finite values that differ."""
    import numpy as np

    if metric.column not in table or not len(table):
        return False
    values = scores(table[metric.column])
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and bool(finite.min() < finite.max())


def _regions(table: pd.DataFrame) -> pd.Series:
    names = table["region_id"].map(lambda name: shortened(clean(name), 28))
    common = names.value_counts().index[:_COLOURS]
    return names.where(names.isin(common), OTHER)


def label(metric: Metric) -> str:
    """The metric's name and which way is better."""
    return f"{shortened(clean(metric.name), 48)}  ({'higher' if metric.maximize else 'lower'} is better)"
