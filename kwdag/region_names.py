"""What regions are called where files of the same name lie in different folders.

Pure. Which parameters name a region says roles.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath


def region_names(paths: Iterable[str]) -> dict[str, str]:
    """The names of those paths that share their stem with another: as many folders before it as it takes.

    >>> region_names(["/data/north/x.json", "/data/south/x.json", "/data/y.json"])
    {'/data/north/x.json': 'north/x', '/data/south/x.json': 'south/x'}
    """
    alike: dict[str, list[PurePath]] = defaultdict(list)
    for path in map(PurePath, sorted(set(paths))):
        alike[path.stem].append(path)
    return {
        str(path): name
        for group in alike.values()
        if len(group) > 1
        for path, name in zip(group, _apart(group), strict=True)
    }


def _apart(paths: list[PurePath]) -> list[str]:
    deepest = max(len(path.parts) for path in paths)
    for depth in range(1, deepest):
        names = ["/".join([*path.parent.parts[-depth:], path.stem]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))  # such as x.json and x.csv in one folder
