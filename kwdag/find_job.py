"""From what a person types to a job: a unique prefix of its id or of its hash, or its directory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from kwdag import jobdir
from kwdag.errors import KwdagError, nearest
from kwdag.inventory import checked_root

#: So many candidates are named.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A job and where it lies; a planned one may have no directory yet."""

    root: str
    job_id: str

    @property
    def node(self) -> str:
        return node_of(self.job_id)

    @property
    def dpath(self) -> str:
        return f"{self.root}/{self.node}/{self.job_id}"


def node_of(job_id: str) -> str:
    """The node of a job; hashes hold no underscore.

    >>> node_of("my_id_node_id_abc")
    'my_id_node'
    """
    return job_id.rpartition("_id_")[0]


def find(root: str, name: str, planned: Iterable[str] = ()) -> Found:
    """The job that ``name`` stands for; raises KwdagError with the candidates.

    Args:
        planned: ids of jobs that need not have a directory; with any, neither need the root exist.
    """
    if "/" in name and os.path.isdir(name):
        return _at(name)
    planned = set(planned)
    inside = os.path.abspath(root) if planned and not os.path.lexists(root) else checked_root(root)
    ids = planned.union(job_id for _, job_id, _ in jobdir.iter_jobs(inside))
    return Found(inside, pick(name, ids, root))


def _at(path: str) -> Found:
    path = os.path.abspath(path)
    root = os.path.dirname(os.path.dirname(path))
    found = Found(root, os.path.basename(path))
    if found.dpath != path:
        raise KwdagError("this is no job directory", where=path)
    return found


def pick(name: str, ids: Iterable[str], where: str) -> str:
    """The one id that ``name`` is a prefix of, or of whose hash it is one.

    >>> pick("b_id_x", ["a_id_xy", "b_id_xz"], "out"), pick("xy", ["a_id_xy", "b_id_xz"], "out")
    ('b_id_xz', 'a_id_xy')
    """
    ids = sorted(ids)
    found = [job_id for job_id in ids if job_id.startswith(name) or _hash(job_id).startswith(name)]
    if name in found:
        return name
    if not found:
        raise KwdagError(f"no job {name!r}", where=where, hint=_nearest(name, ids))
    if len(found) > 1:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        named = ", ".join(found[:SHOWN])
        raise KwdagError(f"{name!r} stands for {len(found)} jobs", where=where, hint=f"{named}{more}")
    return found[0]


def _hash(job_id: str) -> str:
    return job_id.rpartition("_id_")[2]


def _nearest(name: str, ids: list[str]) -> str | None:
    """A hint: the jobs that share the longest beginning with a name, else the nearest node."""
    if not ids:
        return "there are none"
    shared = {job_id: max(_shared(name, job_id), _shared(name, _hash(job_id))) for job_id in ids}
    most = max(shared.values())
    nodes = {node_of(job_id) for job_id in ids}
    near = [job_id for job_id in ids if shared[job_id] == most]
    if most < 2 or len(near) > SHOWN:
        node = nearest(name.partition("_id_")[0], nodes)
        return f"did you mean {node!r}?" if node else f"the jobs are of {', '.join(sorted(nodes))}"
    return f"did you mean {' or '.join(near)}?"


def _shared(a: str, b: str) -> int:
    return len(os.path.commonprefix([a, b]))
