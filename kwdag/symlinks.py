"""Links to the job directories behind ranked rows, by region and place, and by hashid and region.

    <folder>/by_region/<region>/<place>_<param_hashid>
    <folder>/by_hashid/<param_hashid>/<region>

With several nodes the two stand below `<folder>/<node>`. Which links are ours a list beside them says;
nothing else is ever replaced or deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kwdag.cells import encodable
from kwdag.errors import ResultError
from kwdag.metrics import Metrics, scores

if TYPE_CHECKING:
    import pandas as pd

_LIST = ".kwdag_links.json"
_LONGEST = 100


def symlink_results(
    tables: Mapping[str, pd.DataFrame], metrics: Mapping[str, Metrics], folder: str | os.PathLike[str]
) -> list[Path]:
    """Make the links, and remove those of an earlier call that are no longer right; the links, best first.

    The best place is 1; rows that the primary metrics do not tell apart share a place. Of a job directory
    that is gone there is no link.

    Raises:
        ResultError: something that is no link of ours is in the way, or the disk refuses.
    """
    folder = Path(folder)
    wanted = dict(_wanted(tables, metrics, folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _read_list(folder)
        _check_free(folder, wanted, before)
        # First the list, then the links: what a kill leaves behind is known to the next call.
        _write_list(folder, before | wanted)
        for name, target in before.items():
            if wanted.get(name) != target:
                _remove(folder, name, target)
        for name, target in wanted.items():
            _link(folder / name, target)
        _write_list(folder, wanted)
    except OSError as error:
        raise ResultError(f"cannot link: {error.strerror}", where=str(error.filename or folder)) from error
    return [folder / name for name in wanted]


# -- names and targets -----------------------------------------------------------------------------


def _wanted(
    tables: Mapping[str, pd.DataFrame], metrics: Mapping[str, Metrics], folder: Path
) -> Iterator[tuple[str, str]]:
    """(path below the folder, text of the link), best rows first."""
    taken: set[str] = set()
    for node, table in tables.items():
        top = f"{safe(node)}/" if len(tables) > 1 else ""
        for place, (region, hashid, dpath) in _placed(table, metrics.get(node, Metrics())):
            if not os.path.isdir(dpath):
                continue
            region, hashid = safe(region), safe(hashid)
            for name in (
                f"{top}by_region/{region}/{place}_{hashid}",
                f"{top}by_hashid/{hashid}/{region}",
            ):
                name = _distinct(name, taken)
                yield name, _target(folder / name, dpath)


def _placed(table: pd.DataFrame, metrics: Metrics) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """(place in its region, (region, hashid, path)), best first; competition ranking: 1, 2, 2, 4."""
    columns = [metric.column for metric in metrics.primary if metric.column in table]
    values = list(zip(*(map(repr, scores(table[name]).tolist()) for name in columns), strict=True))
    rows = list(zip(*(table[name].tolist() for name in ("region_id", "param_hashid", "dpath")), strict=True))
    by_region: dict[str, list[int]] = {}
    for i in reversed(range(len(rows))):
        by_region.setdefault(rows[i][0], []).append(i)
    for best_first in by_region.values():
        width, place = len(str(len(best_first))), 1
        for number, i in enumerate(best_first):
            if not columns or number == 0 or values[i] != values[best_first[number - 1]]:
                place = number + 1
            yield f"{place:0{width}}", rows[i]


def _distinct(name: str, taken: set[str]) -> str:
    """The name, or with a number where rows share region and hashid."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}~{number}"
    taken.add(free)
    return free


def safe(name: str) -> str:
    """A readable file name: distinct for distinct names, whatever characters and however many they have.

    >>> safe("KR_R001"), safe("a/b"), safe("Zürich")
    ('KR_R001', 'a-b-c14cddc0', 'Zürich')
    """
    clean = re.sub(r"[/\\\x00-\x20\x7f]|^[.~-]", "-", encodable(str(name)))
    short = clean.encode()[:_LONGEST].decode(errors="ignore")
    if short == name and short:
        return short
    return f"{short}-{hashlib.sha256(str(name).encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _target(link: Path, dpath: str) -> str:
    """What the link says: a way from the folder it lies in, or an absolute one to another device."""
    here = os.path.realpath(link.parent)
    there = os.path.realpath(dpath)
    return os.path.relpath(there, here) if _device(here) == _device(there) else there


def _device(path: str) -> int:
    """The device of a folder, or of the one above that is there already."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev


# -- the disk --------------------------------------------------------------------------------------


def _read_list(folder: Path) -> dict[str, str]:
    """The links that earlier calls made; a damaged list names none."""
    try:
        found = json.loads((folder / _LIST).read_bytes())
        links = found["links"]
        return {str(name): str(links[name]) for name in links if _is_inside(str(name))}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _is_inside(name: str) -> bool:
    return not os.path.isabs(name) and ".." not in name.split("/")


def _write_list(folder: Path, links: Mapping[str, str]) -> None:
    part = folder / f"{_LIST}.{os.getpid()}.part"
    part.write_text(json.dumps({"schema": 1, "links": dict(links)}, indent=1))
    os.replace(part, folder / _LIST)


def _check_free(folder: Path, wanted: Mapping[str, str], ours: Mapping[str, str]) -> None:
    for name, target in wanted.items():
        path = folder / name
        if os.path.lexists(path) and _reads(path) not in (target, ours.get(name, target)):
            raise ResultError("is in the way of a link", where=str(path), hint="it is not ours: move it away")


def _reads(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _remove(folder: Path, name: str, target: str) -> None:
    """Remove a link that is still as we made it, and the folders that it leaves empty."""
    path = folder / name
    if _reads(path) != target:
        return
    path.unlink()
    with suppress(OSError):  # not empty
        for parent in path.parents:
            if parent == folder:
                break
            parent.rmdir()


def _link(path: Path, target: str) -> None:
    if _reads(path) != target:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
