"""Job directories by hand, for the tests of what reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kwdag.job_reading import Job
from kwdag.loading import ResultFile

NODE = "fit"
FILE = ResultFile(NODE, "out.json", "info", ("result.metrics", "metrics"))


def status(state: str = "done", **more: Any) -> dict[str, Any]:
    return {"schema": 1, "state": state, "exit_code": 0 if state == "done" else 1, **more}


def write_job(root: Path, name: str, *, config: Any = None, state: str = "done", metrics: Any = None,
              node: str = NODE, **more: Any) -> Job:  # fmt: skip
    """A job below ``root``; ``more`` goes into its status."""
    dpath = root / node / f"{node}_id_{name}"
    dpath.mkdir(parents=True, exist_ok=True)
    (dpath / "job_config.json").write_text(json.dumps({f"{node}.lr": name} if config is None else config))
    (dpath / "job_status.json").write_text(json.dumps(status(state, **more)))
    (dpath / "out.json").write_text(json.dumps({"metrics": {"acc": 0.5} if metrics is None else metrics}))
    return Job(dpath.name, str(dpath), FILE)
