"""The device that a network runs on.

What runs there does not belong here.
"""

from __future__ import annotations

import os

from pipelines.errors import BadInput


def chosen(text: str) -> str:
    """The torch device that ``text`` names: `cpu`, `cuda:1`, `1`, `0,1` (the first), or `auto`.

    Raises:
        BadInput: there is no such device.
    """
    import torch

    # What CUDA needs for the same result from run to run; read when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    name = text.strip().strip("[]").split(",")[0].strip().lower()
    if name in ("auto", "none", "null", ""):
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return "cpu"
    number = name.removeprefix("cuda").removeprefix(":") or "0"
    if not number.isdecimal():
        raise BadInput(f"{text!r} is no device", where="devices", hint="write cpu, or the number of a GPU")
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[:count]
    if int(number) >= count and number in visible:
        # A scheduler shows each job its own GPU alone, and torch counts those that it sees from 0.
        number = str(visible.index(number))
    if int(number) >= count:
        raise BadInput(f"no GPU {number}, torch sees {count}", where="devices", hint="write cpu")
    return f"cuda:{number}"
