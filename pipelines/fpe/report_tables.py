"""The tables of a report, as rows of text: what the model is, what it was given, how well it ranks.

Nothing is measured here: see evaluate.py and correlations.py. Pictures stand in report_plots.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pipelines.fpe.correlations import SPLITS
from pipelines.fpe.report_data import Material, chosen_epoch

NAMED = 10  # images without a score that are named
NONE = "–"

Metrics = Mapping[str, float | int | None]


def number(found: float | None, digits: int = 3) -> str:
    """
    >>> number(-0.12345), number(None), number(float("nan"))
    ('−0.123', '–', '–')
    """
    if found is None or found != found:
        return NONE
    return f"{found:.{digits}f}".replace("-", "−")


def facts(material: Material, code: str) -> list[tuple[str, str]]:
    """What the model is of."""
    station, record = material.station, material.record
    clock = material.rows["clock"]
    first, last = (f"{time:%Y-%m-%d %H:%M}" for time in (clock.min(), clock.max()))
    return [
        ("Station", f"{material.name} ({station.get('id')})"),
        ("Place", _place(station)),
        ("Time zone", material.timezone),
        ("Variable", material.variable),
        ("Model", code),
        ("Dataset", _text(record.get("dataset_code"))),
        ("Images", f"{len(material.rows):,}, from {first} to {last} local time"),
    ]


def parameters(material: Material) -> list[tuple[str, list[tuple[str, str]]]]:
    """Options of the model's input and of its training, by name."""
    args = material.record.get("args")
    groups = (
        ("Input, in local hours and dates", args if isinstance(args, dict) else {}),
        ("Training", material.args),
    )
    return [(title, [(name, _text(found[name])) for name in sorted(found)]) for title, found in groups]


def counts(material: Material) -> list[tuple[str, ...]]:
    """Of each split and of all: its name, images, those with an observation, those with a score, pairs."""
    rows, pairs = material.rows, material.pairs
    found = []
    for name in (*SPLITS, "all"):
        some = rows if name == "all" else rows[rows["split"] == name]
        its_pairs = pairs if name == "all" else pairs[pairs["split"] == name]
        given = f"{its_pairs['pair'].nunique():,}" if name in ("train", "val", "all") else NONE
        numbers = (len(some), some["value"].count(), some["score"].count())
        found.append((name, *(f"{one:,}" for one in numbers), given))
    return found


def correlations(metrics: Metrics) -> list[tuple[str, ...]]:
    """Of each split and of all: its name; tau, rho and n of its images; tau, rho and n of its days."""
    found = []
    for name in (*SPLITS, "all"):
        cells = [name]
        for level in ("", "day_"):
            end = f"{level}{name.replace('-', '_')}"
            cells += [
                number(metrics[f"tau_{end}"]),
                number(metrics[f"rho_{end}"]),
                f"{metrics[f'n_{end}']:,}",
            ]
        found.append(tuple(cells))
    return found


def agreement(metrics: Metrics) -> list[tuple[str, ...]]:
    """Of train and val: its name, pairs, and the accuracy of two and of three answers."""
    return [
        (
            split,
            f"{metrics[f'n_pairs_{split}']:,}",
            number(metrics[f"accuracy2_{split}"]),
            number(metrics[f"accuracy3_{split}"]),
        )
        for split in ("train", "val")
    ]


def notes(material: Material, metrics: Metrics) -> list[str]:
    """What a reader has to know of the data, in sentences."""
    said = []
    leaked = int(metrics["leaked_images"] or 0)
    if leaked:
        said.append(f"{leaked:,} images stand both in pairs for training and in pairs for validation.")
    missing = material.rows[material.rows["score"].isna()]
    if len(missing):
        shown = ", ".join(PurePosixPath(name).name for name in missing["filename"][:NAMED])
        more = f", and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        are = "image has" if len(missing) == 1 else "images have"
        said.append(f"{len(missing):,} {are} no score, as unreadable or missing: {shown}{more}.")
    if chosen_epoch(material.losses) is None:
        said.append("No epoch has a validation loss that is a number.")
    return said


def _place(station: Mapping[str, Any]) -> str:
    latitude, longitude = station.get("latitude"), station.get("longitude")
    if not isinstance(latitude, float | int) or not isinstance(longitude, float | int):
        return NONE
    north, east = "NS"[latitude < 0], "EW"[longitude < 0]
    return f"{abs(latitude):.4f}° {north}, {abs(longitude):.4f}° {east}"


def _text(value: Any) -> str:
    if value is None:
        return NONE
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"
