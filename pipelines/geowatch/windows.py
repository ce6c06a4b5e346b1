"""Where and when windows lie: corners on a grid, frames of a series, and weights that blend overlaps.

Nothing here reads or writes pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

# The names of the original's samplings, and which of the two ways each one means here.
SAMPLINGS = {
    "contiguous": "contiguous",
    "uniform": "uniform",
    "distribute": "uniform",
    "hard+distribute": "uniform",
    "soft+distribute": "uniform",
    "soft2+distribute": "uniform",
}


@dataclass(frozen=True)
class Sample:
    """Frames that are looked at together, and those of them whose maps are kept (indices in time order)."""

    frames: tuple[int, ...]
    keep: tuple[int, ...]


def samples(count: int, steps: int, sampling: str, shift: int = 0) -> list[Sample]:
    """Samples that keep each of ``count`` frames exactly once.

    `contiguous` takes neighbours in time, the last sample reaching back to be full; `uniform` takes frames
    at equal strides over the whole period. ``shift`` moves the borders of contiguous samples, or the
    phase of uniform ones, by so many frames: another view of the same frames for test-time augmentation.

    >>> samples(5, 3, "contiguous")
    [Sample(frames=(0, 1, 2), keep=(0, 1, 2)), Sample(frames=(2, 3, 4), keep=(3, 4))]
    >>> samples(5, 3, "uniform")
    [Sample(frames=(0, 2, 4), keep=(0, 2, 4)), Sample(frames=(1, 3), keep=(1, 3))]
    """
    if SAMPLINGS[sampling_named(sampling)] == "uniform":
        groups = math.ceil(count / steps)
        # Each block of neighbours is dealt out to the groups; a shift deals every next block further round.
        dealt = [(frame % groups + frame // groups * shift) % groups for frame in range(count)]
        grouped = [tuple(f for f in range(count) if dealt[f] == group) for group in range(groups)]
        return [Sample(frames, frames) for frames in grouped]
    found = []
    for start in range(-(shift % steps), count, steps):
        keep = tuple(range(max(start, 0), min(start + steps, count)))
        first = min(max(start, 0), max(count - steps, 0))
        found.append(Sample(tuple(range(first, min(first + steps, count))), keep))
    return [sample for sample in found if sample.keep]


def sampling_named(name: str) -> str:
    """``name``, if there is such a sampling.

    Raises:
        BadInput: there is none.
    """
    if name not in SAMPLINGS:
        raise BadInput(
            f"no time sampling {name!r}", where="time_sampling", hint=did_you_mean(name, SAMPLINGS)
        )
    return name


def starts(size: int, window: int, overlap: float) -> list[int]:
    """First pixels of windows that cover ``size`` pixels, the last one moved back inside.

    Args:
        overlap: share of a window that the next one covers again, at least 0 and below 1.

    >>> starts(10, 4, 0.5), starts(10, 4, 0.0), starts(3, 4, 0.0)
    ([0, 2, 4, 6], [0, 4, 6], [0])
    """
    if size <= window:
        return [0]
    stride = max(1, round(window * (1 - overlap)))
    return [*range(0, size - window, stride), size - window]


def ramp(window: int, overlap: float) -> np.ndarray:
    """Weights of a window's pixels along one axis: 1 inside, falling linearly to the rim over the overlap.

    Always above 0, so that a pixel of the image's border, which one window covers, keeps its value.
    """
    import numpy as np

    margin = max(1.0, window * overlap)
    distance = np.minimum(np.arange(window), np.arange(window)[::-1]) + 0.5
    return np.minimum(distance / margin, 1.0).astype(np.float32)
