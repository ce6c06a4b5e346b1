"""Links from the page to job directories, logs and pictures: relative where they lie below the page's folder.

Knows file names only; reads a few folders to see which pictures a node's jobs write.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from kwdag.jobdir import LOG
from kwdag.report.html import encode

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")
_PROBES = 3
_MOST_PICTURES = 12


def href(path: str, page_folder: str) -> str:
    """The address of a file as seen from a page in ``page_folder``, an absolute path.

    >>> href("/runs/a/fit/fit_id_1", "/runs/a"), href("/runs/b c", "/runs/a")
    ('fit/fit_id_1', 'file:///runs/b%20c')
    """
    path = os.path.normpath(os.path.join(page_folder, path))
    inside = path.startswith(page_folder.rstrip("/") + "/")
    shown = os.path.relpath(path, page_folder) if inside else path
    quoted = quote(os.fsencode(shown))
    # a colon in the first part of a relative address would be read as a scheme; quote has escaped it
    return quoted if inside else f"file://{quoted}"


def folders(dpaths: Sequence[Any], job_ids: Sequence[str], page_folder: str) -> dict[str, Any]:
    """The address of each row's job directory: its parent's, and its own name if that is not the job id."""
    split = [os.path.split(str(path)) if path else ("", "") for path in dpaths]
    parents = {
        parent: href(parent, page_folder) if parent else "" for parent in dict.fromkeys(p for p, _ in split)
    }
    names = [quote(_bytes(name)) for _, name in split]
    found: dict[str, Any] = {"parents": encode.texts([parents[parent] for parent, _ in split]), "log": LOG}
    return found if names == list(job_ids) else found | {"names": encode.texts(names)}


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def pictures(out_paths: Mapping[str, Any] | None, dpaths: Iterable[Any]) -> list[str]:
    """Addresses, below a job directory, of the pictures that a node's jobs write.

    Declared outputs, and what lies in the directories of the first few jobs: one node's jobs write the same.
    """
    declared = [str(path) for path in (out_paths or {}).values() if "{" not in str(path)]
    names = [name for name in declared if name.lower().endswith(PICTURES)]
    for dpath in list(dpaths)[:_PROBES]:
        names += sorted(name for name in _listed(str(dpath)) if name.lower().endswith(PICTURES))
    return [quote(_bytes(name)) for name in list(dict.fromkeys(names))[:_MOST_PICTURES]]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
