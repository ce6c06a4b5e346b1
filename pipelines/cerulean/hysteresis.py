"""Three thresholds with hysteresis: what belongs together, what of it counts, and what of that stays.

Where probabilities come from, and what becomes of the regions, does not belong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def hysteresis(
    probability: NDArray[np.floating], group: float, strong: float | None, trim: float | None
) -> NDArray[np.int32]:
    """Regions of a map of probabilities.

    Pixels of at least ``group`` that touch, also at corners, are a region; it is kept if one of them reaches
    ``strong``; then those below ``trim`` are taken away.

    Args:
        probability: (height, width).
        strong, trim: None leaves that step out.

    Returns:
        (height, width): 0 where there is none, else the region's number from 1 on, in the order of their
        first pixels. A region that trimming has parted keeps one number.

    >>> import numpy as np
    >>> hysteresis(np.array([[0.3, 0.9, 0.1, 0.4, 0.4]]), 0.2, 0.5, 0.35)
    array([[0, 1, 0, 0, 0]], dtype=int32)
    """
    import numpy as np
    from scipy import ndimage

    labels, count = ndimage.label(probability >= group, np.ones((3, 3), bool))
    kept = np.ones(count + 1, bool)
    kept[0] = False
    if strong is not None:
        kept[:] = False
        kept[np.unique(labels[probability >= strong])] = True
        kept[0] = False
    chosen = kept[labels]
    if trim is not None:
        chosen &= probability >= trim
        kept = np.isin(np.arange(count + 1), labels[chosen])
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    found: NDArray[np.int32] = np.where(chosen, numbers[labels], np.int32(0))
    return found
