"""Names of windows: the same place and time, the same name.

Which windows there are is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC

from pipelines.esrun.features import TimeRange
from pipelines.esrun.projection import Bounds, Projection


def window_name(projection: Projection, bounds: Bounds, span: TimeRange | None) -> str:
    """`<left>_<top>_<right>_<bottom>_<12 letters for projection and time>`, fit for a folder's name.

    The letters are 60 bits of a hash, so that windows of other zones, pixel sizes or times never share one.
    """
    x, y = float(projection.x_resolution), float(projection.y_resolution)
    times = [one.astimezone(UTC).isoformat() for one in span or ()]
    text = json.dumps([projection.crs, x, y, list(bounds), times])
    letters = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:12]
    return "_".join([*map(str, bounds), letters])
