"""The inputs from outside a plan: where each lies below the root of an export, and how it gets there.

A place is a folder below the root; the S3 root and the root in a container have the same ones.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from kwdag import jobdir, script
from kwdag.plan import Job


@dataclass(frozen=True, slots=True)
class Upload:
    """One input from outside.

    Attributes:
        path: the absolute path by which commands name it.
        place: the folder of its own, relative to the root.
    """

    path: str
    place: str

    @property
    def key(self) -> str:
        """The file or folder itself, relative to the root."""
        return f"{self.place}/{os.path.basename(self.path)}"


def uploads_of(job: Job) -> list[Upload]:
    """What a job reads from outside, parents before what lies in them; URLs are the program's business."""
    paths = {path for path in script.external_inputs(job) if "://" not in path}
    return [Upload(path, _place(path)) for path in sorted(paths)]


def all_uploads(jobs: Iterable[Job]) -> list[Upload]:
    """What any of the jobs reads from outside, each once."""
    return sorted({upload for job in jobs for upload in uploads_of(job)}, key=lambda upload: upload.path)


def _place(path: str) -> str:
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return f"{jobdir.RUN_DPATH}/inputs/{digest}"


def upload_command(upload: Upload) -> str:
    """A command that copies an input below the S3 root, which it takes from the variable S3_ROOT."""
    verb = "sync" if os.path.isdir(upload.path) else "cp"
    return f'aws s3 {verb} {shlex.quote(upload.path)} "$S3_ROOT"/{shlex.quote(upload.key)}'
