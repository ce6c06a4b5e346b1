"""Whether a window has all the images that were found for it: what an interrupted build leaves has not.

Finding images and writing them does not belong here.
"""

from __future__ import annotations

from collections.abc import Container

from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset, Window
from pipelines.program import read_json


def is_filled(dataset: Dataset, window: Window, layers: Container[str] | None = None) -> bool:
    """Whether images were looked for and every layer that some were found for is complete.

    Args:
        layers: the ones that matter; None for all.

    Raises:
        BadInput: the window's items.json cannot be read.
    """
    path = dataset.window_dpath(window) / "items.json"
    if not path.is_file():
        return False
    try:
        steps = {one["layer_name"]: len(one["serialized_item_groups"]) for one in read_json(path)}
    except (KeyError, TypeError) as error:
        raise BadInput(f"is no list of a window's images ({error})", where=path) from None
    return all(
        dataset.is_completed(window, layer, step)
        for layer, count in steps.items()
        if layers is None or layer in layers
        for step in range(count)
    )
