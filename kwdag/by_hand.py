"""Running one job as a person would: `bash invoke.sh`, which claims it, sets old outputs aside and records it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn

from kwdag import claims, inventory, jobdir
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
        raise KwdagError(f"{job.job_id} runs right now, {holder(job.dpath)}",
                         hint="kwdag logs -f shows its output")  # fmt: skip
    sys.stdout.flush()
    sys.stderr.flush()
    bash = shutil.which("bash") or "/bin/bash"
    os.execv(bash, [bash, script])


def holder(dpath: str) -> str:
    """Who holds a job, in words."""
    found = claims.holder(dpath)
    host = str(found.get("host") or "another host").partition("/")[0]
    return f"as process {found['pid']} on {host}" if "pid" in found else f"on {host}"
