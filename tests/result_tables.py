"""Result tables for the tests of what is made of them."""

from __future__ import annotations

import pandas as pd

from kwdag.metrics import Metric

ACC = Metric("metrics.fit.acc", "acc")
LOSS = Metric("metrics.fit.loss", "loss", maximize=False)


def table(**columns):
    """Columns by short names: `acc` and `loss` are metrics, other unknown names parameters of fit."""
    own = ("param_hashid", "region_id", "job_id", "dpath")
    names = {"acc": ACC.column, "loss": LOSS.column} | {name: name for name in own}
    return pd.DataFrame({names.get(name, f"params.fit.{name}"): values for name, values in columns.items()})
