"""Which images go into which layer of which windows: looked up before anything is written.

What `dataset.json` may say stands in dataset_config.py, the choice for one window in matching.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import BadInput
from pipelines.esrun import matching
from pipelines.esrun.dataset import Window
from pipelines.esrun.dataset_config import Layer, Source, read_config
from pipelines.esrun.local_files import Index, Item, list_items

if TYPE_CHECKING:
    from pipelines.esrun.project import Project

Chosen = Mapping[str, list[matching.Group]]  # layer -> its time steps


@dataclass(frozen=True)
class Filler:
    """A layer, its source, and the items that may go into it."""

    layer: Layer
    source: Source
    index: Index


def fillers(project: Project) -> list[Filler]:
    """The layers that have a source, with all items there.

    Raises:
        BadInput: dataset.json cannot be used; a folder is missing, is empty, or holds a file that cannot be
            opened; a band that no image has.
    """
    layers = read_config(project.dataset_config).values()
    found = [
        Filler(layer, layer.source, Index(list_items(layer.source, layer.type)))
        for layer in layers
        if layer.source is not None
    ]
    for one in found:
        has = {band: None for item in one.index.items for band in _bands(item)}  # in order
        for band in _wanted(one.layer):
            if band not in has:
                raise BadInput(
                    f"layers.{one.layer.name}: no image in {one.source.folder} has a band {band}",
                    where=project.dataset_config, hint=f"they have {', '.join(has)}",
                )  # fmt: skip
    return found


def choose(windows: Sequence[Window], found: Sequence[Filler]) -> list[Chosen]:
    """For each window the items of its layers.

    Raises:
        BadInput: an item that a window takes lacks a band, or a window without a time is asked for periods.
    """
    chosen: list[Chosen] = [
        {one.layer.name: matching.match(window, one.source, one.index.meeting(window)) for one in found}
        for window in windows
    ]
    for one in found:
        wanted = _wanted(one.layer)
        taken = {id(item): item for steps in chosen for step in steps[one.layer.name] for item in step.items}
        for item in taken.values():
            lacking = [band for band in wanted if band not in _bands(item)]
            if lacking:
                raise BadInput(
                    f"has no band {lacking[0]}, only {', '.join(_bands(item))}", where=item.files[0].path
                )
    return chosen


def _wanted(layer: Layer) -> list[str]:
    return [band for bands in layer.band_sets for band in bands.bands]


def _bands(item: Item) -> list[str]:
    return [band for file in item.files for band in file.bands]
