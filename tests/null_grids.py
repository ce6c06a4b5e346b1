"""Grids with a planted effect, and random ones without any: what is found in those is a false alarm."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from tests.result_tables import ACC

SHAPES = [(2, 3, 2), (2, 2, 2, 2), (3, 4), (2, 5, 3), (4, 4, 2), (2, 2), (6, 2)]
NOISE = [
    lambda random, n: random.normal(size=n),
    lambda random, n: random.standard_cauchy(n),
    lambda random, n: random.exponential(size=n) ** 3,
    lambda random, n: random.integers(0, 3, n).astype(float),
]


def null_grid(seed: int) -> pd.DataFrame:
    """Of changing shape and noise, with regions that differ strongly, and every second one with holes."""
    random = np.random.default_rng(seed)
    shape = SHAPES[seed % len(SHAPES)]
    n_regions = int(random.choice([2, 3, 6, 10]))
    rows = list(itertools.product(*map(range, shape), range(n_regions)))
    table = pd.DataFrame(rows, columns=[*(f"params.fit.p{i}" for i in range(len(shape))), "region"])
    region = table.pop("region")
    noise = NOISE[seed // len(SHAPES) % len(NOISE)](random, len(table))
    level = random.normal(0, 10, n_regions)[region]
    table = table.assign(
        **{"region_id": "r" + region.astype(str), "param_hashid": "x", ACC.column: noise + level}
    )
    return table[random.random(len(table)) < (1, 0.6)[seed % 2]].reset_index(drop=True)


def full_grid(score, n_regions=3, noise=0.0, **values):
    """Every combination in every region; ``score`` of a row's values by name."""
    random = np.random.default_rng(20)
    rows = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]
    table = pd.DataFrame([{"region_id": f"r{i}"} for i in range(n_regions) for _ in rows])
    for name in values:
        table[f"params.fit.{name}"] = pd.Series([row[name] for row in rows] * n_regions, dtype=object)
    clean = np.array([score(**row) for row in rows] * n_regions, dtype=float)
    return table.assign(**{ACC.column: clean + noise * random.normal(size=len(table)), "param_hashid": "x"})
