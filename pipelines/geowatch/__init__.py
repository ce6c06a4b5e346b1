"""GeoWATCH: find construction sites in years of satellite images (BAS), then tell their phases (SC).

The pipelines stand in pipelines.py; each program runs alone, as `python -m pipelines.geowatch.<program>`.
"""

from pipelines.geowatch.pipelines import (
    bas,
    crop_sc,
    joint_bas_sc,
    joint_bas_sc_nocrop,
    joint_bas_sv_sc,
    sc,
    train,
    train_bas,
)

__all__ = [
    "bas",
    "crop_sc",
    "joint_bas_sc",
    "joint_bas_sc_nocrop",
    "joint_bas_sv_sc",
    "sc",
    "train",
    "train_bas",
]
