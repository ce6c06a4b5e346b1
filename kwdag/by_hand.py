"""Running one job as a person would: `bash invoke.sh`, which claims it and records its end."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn

from kwdag import inventory, jobdir
from kwdag.errors import KwdagError
from kwdag.find_job import Found


def become(job: Found) -> NoReturn:
    """Turn this process into the job's: its signals, terminal and exit code are the job's own.

    Raises:
        KwdagError: it runs elsewhere, or its directory was never laid out.
    """
    script = f"{job.dpath}/{jobdir.INVOKE}"
    if not os.path.exists(script):
        raise KwdagError("there is no invoke.sh", where=job.dpath, hint="kwdag schedule --run=1 makes it")
    if inventory.is_running(job.dpath):
        raise KwdagError(f"it runs right now: {inventory.held_by(job.dpath)}", where=job.job_id,
                         hint="kwdag logs -f shows its output")  # fmt: skip
    sys.stdout.flush()
    sys.stderr.flush()
    bash = shutil.which("bash") or "/bin/bash"
    os.execv(bash, [bash, script])
