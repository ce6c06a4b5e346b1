"""What the container of one job is told: what to prepare, the command of the job, and both as arguments.

The command is that of `invoke.sh`; where files lie in S3 is sagemaker.py's business.
"""

from __future__ import annotations

import re
import shlex
import sys

from kwdag import jobdir, script
from kwdag.errors import PlanError
from kwdag.export.planned import Planned
from kwdag.export.uploads import Upload, uploads_of
from kwdag.plan import Job
from kwdag.tasks import TaskMaker

#: Arguments of a container: each so many characters, and so many of them (SageMaker's AppSpecification).
LONGEST, MOST = 256, 100
#: Joins its arguments to a script and runs that, without positional parameters, as `invoke.sh` would.
ENTRYPOINT = ("bash", "-c", 'printf -v KWDAG_SCRIPT %b "$@"; set --; eval "$KWDAG_SCRIPT"', "kwdag")


def job_script(planned: Planned, job: Job, maker: TaskMaker) -> str:
    """The bash of a job: its inputs where its command expects them, its manifests, then the command."""
    plan = planned.plan
    links = [_link(plan.root, upload) for upload in uploads_of(job)]
    manifests = []
    for port, members in maker.task(job, planned.absent).gathers.items():
        path = jobdir.manifest_path(plan.dpath(job), port)
        twin = jobdir.as_json({"schema": jobdir.SCHEMA, "members": members})
        manifests.append(f"mkdir -p {shlex.quote(path.rpartition('/')[0])} || exit\n")
        manifests.append(_write(path, "".join(f"{member['path']}\n" for member in members)))
        manifests.append(_write(f"{path.removesuffix('.txt')}.json", twin))
    return "".join([*links, *manifests, _portable(script.body(plan, job))])


def _portable(text: str) -> str:
    """The interpreter that runs kwdag here is `python` in the image."""
    return text.replace(f"{shlex.quote(sys.executable)} -", "python -")


def _link(root: str, upload: Upload) -> str:
    """Put an input at its path, unless the image has something there already."""
    path, folder = shlex.quote(upload.path), shlex.quote(upload.path.rpartition("/")[0] or "/")
    target = shlex.quote(f"{root}/{upload.key}")
    return f"[ -e {path} ] || {{ mkdir -p {folder} && ln -s {target} {path}; }} || exit\n"


def _write(path: str, text: str) -> str:
    return f"printf %s {shlex.quote(text)} > {shlex.quote(path)} || exit\n"


def programs_by_path(planned: Planned) -> list[str]:
    """Programs that commands name by an absolute path of this machine: the image must have them there."""
    found = (script.direct_argv(planned.plan, job) for job in planned.jobs)
    named = {argv[0] for argv in found if argv and argv[0].startswith("/")}
    return sorted(named - {sys.executable})


def arguments(job: Job, text: str) -> list[str]:
    """A script as arguments for ``ENTRYPOINT``: a line each, or as full as can be where these are too many.

    Raises:
        PlanError: the script is too long, or no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PlanError(f"the command of {job.id} is no UTF-8, which a service cannot hold") from None
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    pieces = [piece for line in lines for piece in _pieces(line)]
    if len(pieces) > MOST:
        pieces = _pieces(text)
    if len(pieces) > MOST:
        raise PlanError(
            f"the command of {job.id} is too long for a container: "
            f"{len(text):,} characters, gathered paths counted, do not fit {MOST} arguments of {LONGEST}"
        )
    return pieces


def _pieces(text: str) -> list[str]:
    """Cut so that no piece ends within an escape of `printf %b`."""
    pieces = [""]
    for char in text:
        written = _written(char)
        if len(pieces[-1]) + len(written) > LONGEST:
            pieces.append("")
        pieces[-1] += written
    return pieces


def _written(char: str) -> str:
    """A character as `printf %b` reads it: an argument must not hold a newline, nor what else ends a line."""
    if char == "\\":
        return "\\\\"
    if char == "\n":
        return "\\n"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode())
