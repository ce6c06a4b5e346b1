"""The results of a large grid as `aggregate` gives them: regions, missing cells, NaN, long and odd values."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from kwdag.metrics import Metric, Metrics
from kwdag.pipeline import Pipeline
from kwdag.ranking import rank
from kwdag.roles import Roles, with_identity
from kwdag.yaml_pipeline import from_spec

DEEP = "/data/projects/" + "/".join(f"a-rather-long-folder-name-{i}" for i in range(6))
GRID = {
    "prep.src": [f"/data/regions/{name}.json" for name in ("alps", "delta", "sahel")],
    "prep.scale": [0.5, 1.0, 2.0],
    "fit.lr": [1e-4, 1e-3, 1e-2, 1e-1],
    "fit.weight_decay": [0.0, 1e-5, 1e-3, None],
    "fit.depth": [2, 4, 8, 16, 32],
    "fit.model": [f"{DEEP}/models/{kind}/epoch_{i}.pt" for kind in ("resnet", "vit") for i in (3, 9)],
    "fit.loss": ["focal", "dice", "cross_entropy"],
    "fit.augment": [True, False],
    "fit.bands": [["red", "green"], ["red", "green", "nir"], ["pan"]],
    "fit.dropout": [0.0, 0.1, 0.2, 0.5],
    "fit.note": [
        "plain",
        "costs $5 and $6",
        "naïve_x^2",
        "日本語 ✓",
        "</script><img src=x onerror=alert(1)>",
    ],
}
ACC = Metric("metrics.fit.acc", "acc")
ERROR = Metric("metrics.fit.rel_error", "rel_error", maximize=False)
N_TEST = Metric("metrics.fit.n_test", "n_test")
METRICS = Metrics((ACC, ERROR), (ACC, ERROR, N_TEST, Metric("metrics.fit.f1", "f1")))
ROLES = Roles(dataset=frozenset({"prep.src"}), unhashed=frozenset({"prep.src"}),
              paths=frozenset({"prep.src", "fit.model"}))  # fmt: skip


def grid_table(n: int = 300, seed: int = 0, root: str = "/work/root") -> pd.DataFrame:
    """``n`` ranked rows of node `fit`: a random part of the grid, so that cells are missing.

    Planted: the learning rate matters most (0.01 is best), then the depth; the rest is noise.
    """
    random = np.random.default_rng(seed)
    size = int(np.prod([len(values) for values in GRID.values()]))
    cells = random.choice(size, n, replace=False)
    index = np.unravel_index(cells, [len(values) for values in GRID.values()])
    data = {
        f"params.{name}": pd.Series([values[i] for i in at], dtype=object)
        for (name, values), at in zip(GRID.items(), index, strict=True)
    }
    lr, depth = index[list(GRID).index("fit.lr")], index[list(GRID).index("fit.depth")]
    acc = 0.5 + 0.1 * np.array([0, 1, 2.5, 0.5])[lr] + 0.02 * depth + random.normal(0, 0.03, n)
    acc[random.random(n) < 0.03] = np.nan
    start = 1.7e9 + np.sort(random.uniform(0, 36000, n))
    wall = np.exp(random.normal(3, 0.7, n)) * (1 + depth)
    table = pd.DataFrame({
        "node": "fit",
        "job_id": [f"fit_id_{i:08x}" for i in cells],
        "dpath": [f"{root}/fit/fit_id_{i:08x}" for i in cells],
        **data,
        ACC.column: acc,
        ERROR.column: np.exp(random.normal(-3, 1, n)) * (1.5 - np.nan_to_num(acc)),
        N_TEST.column: 250,
        "metrics.fit.f1": np.where(random.random(n) < 0.4, np.nan, acc - 0.05),
        "metrics.fit.verdict": np.where(acc > 0.8, "good", "poor"),
        "job.start": start,
        "job.stop": start + wall,
        "job.wall": wall,
        "job.cpu": wall * random.uniform(0.5, 3.5, n),
        "job.max_rss": np.exp(random.normal(20, 0.5, n)) * (1 + lr),
        "job.host": random.choice(["anna", "bert"], n),
        "job.backend": "tmux",
    })  # fmt: skip
    return rank(with_identity(table, "fit", ROLES), METRICS.primary)


def grid_jobs(table: pd.DataFrame) -> pd.DataFrame:
    """All jobs behind a table, with one `prep` before each twenty and some that failed."""
    columns = ["job_id", "start", "stop", "wall", "cpu", "max_rss", "host", "dpath"]
    fit = table.rename(columns=lambda name: name.removeprefix("job."))
    fit = fit[columns + [name for name in fit if name.startswith("params.")]].assign(node="fit", state="done")
    prep = fit.iloc[::20].assign(
        node="prep",
        job_id=[f"prep_id_{i:08x}" for i in range(len(fit.iloc[::20]))],
        stop=fit["start"].iloc[::20],
        start=fit["start"].iloc[::20] - 30,
        wall=30.0,
    )
    failed = fit.iloc[::30].assign(
        state="failed", job_id=[f"fit_id_f{i:07x}" for i in range(len(fit.iloc[::30]))]
    )
    return pd.concat([fit, prep, failed], ignore_index=True)


def grid_states(table: pd.DataFrame) -> dict[str, Counter[str]]:
    n = len(table)
    return {"prep": Counter(done=-(-n // 20)), "fit": Counter(done=n, failed=-(-n // 30), pending=7)}


def grid_pipeline() -> Pipeline:
    prep = {"command_template": "true", "in_paths": ["src"], "out_paths": {"dst": "prep.json"},
            "algo_params": {"scale": 1.0}}  # fmt: skip
    names = [name.removeprefix("fit.") for name in GRID if name.startswith("fit.")]
    fit = {"command_template": "true", "in_paths": ["src", "model"],
           "out_paths": {"dst": "fit.json", "curve": "curve.png"},
           "algo_params": {name: None for name in names if name != "model"}}  # fmt: skip
    return from_spec({"nodes": {"prep": prep, "fit": fit}, "edges": ["prep.dst -> fit.src"]})
