"""The params document (file, inline text or mapping) -> checked grids.

Every shape and key is checked here, with the line; rows are made elsewhere, and nodes are not known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import chain, pairwise
from pathlib import Path
from reprlib import repr as short
from typing import Any

from kwdag.errors import did_you_mean, nearest
from kwdag.sources import Spot, neighbour, open_file, open_source

_SETTINGS = ("pipeline", "slurm_options")
_SECTIONS = ("matrix", "zip", "include", "exclude", "submatrices", "sample", "matrices")
_INCLUDE_FILE = "__include__"
_ROW_OPTIONS = "__slurm_options__"
_KEY_HINT = "a key is <node>.<param>"


@dataclass(frozen=True, slots=True)
class Axis:
    """Keys that vary together: one of ``matrix``, or all of ``zip``. Each point has a value for each key."""

    keys: tuple[str, ...]
    points: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of ``submatrices``, ``include`` or ``exclude``; in the last two each key has one value."""

    values: Mapping[str, tuple[Any, ...]]
    where: str


@dataclass(frozen=True, slots=True)
class Sample:
    n: int
    seed: int


@dataclass(frozen=True, slots=True)
class Grid:
    """One matrix; ``keys`` maps each ``<node>.<param>`` in it to the place where it stands first."""

    axes: tuple[Axis, ...]
    submatrices: tuple[tuple[Entry, ...], ...]
    include: tuple[Entry, ...]
    exclude: tuple[Entry, ...]
    sample: Sample | None
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Params:
    pipeline: str | Mapping[str, Any] | None
    grids: tuple[Grid, ...]
    slurm_options: Mapping[str, Any]
    name: str

    def keys(self) -> Mapping[str, str]:
        """Every ``<node>.<param>`` that a grid uses, and where it stands first ("params.yaml, line 7")."""
        return {key: where for grid in reversed(self.grids) for key, where in grid.keys.items()}


def load_params(source: str | os.PathLike[str] | Mapping[str, Any]) -> Params:
    """Read a params file, inline YAML or JSON, or a mapping; raises MatrixError at the first fault.

    ``__include__`` paths are relative to the file that holds them, else to the current folder; with
    ``package:`` before them, to the folder of that package.
    """
    document = open_source(source)
    parts = document.mapping("the params")
    pipeline = parts.pop("pipeline", None)
    if pipeline and not isinstance(pipeline.value, str | dict | None):
        raise pipeline.fail(f"'pipeline' must be a name or a mapping, not {short(pipeline.value)}")
    slurm_options = parts.pop("slurm_options", None)
    if slurm_options and slurm_options.value is not None:
        slurm_options.mapping("'slurm_options'")
    return Params(
        pipeline=pipeline.value if pipeline else None,
        grids=tuple(map(_read_grid, _matrices(parts, document))),
        slurm_options=(slurm_options and slurm_options.value) or {},
        name=document.doc.name,
    )


_Table = dict[str, Spot]  # <node>.<param> -> value


def _is_section(name: Any) -> bool:
    return name in _SECTIONS or (isinstance(name, str) and bool(re.fullmatch(r"submatrices[0-9]+", name)))


def _check_sections(parts: Mapping[Any, Spot]) -> None:
    for name, spot in parts.items():
        if not _is_section(name):
            dotted = "." in str(name)
            hint = "put it under 'matrix'" if dotted else did_you_mean(str(name), _SECTIONS + _SETTINGS)
            raise spot.fail(f"unknown key {name!r}", hint)


def _matrices(parts: dict[Any, Spot], document: Spot) -> list[Spot]:
    """The grids of a document, unread: the items of ``matrices``, else the document itself."""
    if "matrices" not in parts:
        return [replace(document, value={key: spot.value for key, spot in parts.items()})]
    _check_sections(parts)
    for name, spot in parts.items():
        if name != "matrices":
            raise spot.fail(f"{name!r} cannot stand beside 'matrices'", "put it into an item of the list")
    grids = parts["matrices"].list("'matrices'")
    if not grids:
        raise parts["matrices"].fail("'matrices' is empty")
    return grids


def _read_grid(spot: Spot) -> Grid:
    sections = _sections(spot)
    sample = sections.pop("sample", None)
    tables = {name: _tables(name, section) for name, section in sections.items()}
    groups = sorted(
        (name for name in tables if name.startswith("submatrices") and tables[name]), key=_group_number
    )
    grid = Grid(
        axes=_axes(*tables["matrix"], *tables.get("zip", [])),
        submatrices=tuple(tuple(map(_variations, tables[name])) for name in groups),
        include=tuple(map(_entry, tables.get("include", []))),
        exclude=tuple(map(_entry, tables.get("exclude", []))),
        sample=_sample(sample) if sample else None,
        keys=_first_places(table for group in tables.values() for table in group),
    )
    if not (grid.axes or grid.submatrices or grid.include):
        raise sections["matrix"].fail("the matrix is empty")
    return grid


def _sections(spot: Spot) -> dict[str, Spot]:
    """The sections that are not empty, and ``matrix``. Those inside it (GitHub's way) move beside it."""
    sections = spot.mapping("a matrix")
    if any(map(_is_section, sections)):
        _check_sections(sections)
        matrix = sections.pop("matrix", replace(spot, value=None))
        matrix = replace(matrix, value={}) if matrix.value is None else matrix
    else:
        sections, matrix = {}, spot
    for name, inner in matrix.mapping("'matrix'").items():
        if _is_section(name) and (name in sections or name in ("matrix", "matrices")):
            raise inner.fail(f"{name!r} cannot stand inside 'matrix' here")
        if _is_section(name):
            sections[name] = inner
    own = {key: value for key, value in matrix.value.items() if not _is_section(key)}
    return {
        "matrix": replace(matrix, value=own),
        **{name: section for name, section in sections.items() if section.value is not None},
    }


def _tables(name: str, section: Spot) -> list[_Table]:
    if name in ("matrix", "zip"):
        return [_table(section, repr(name))]
    items = section.list(repr(name))
    tables = [_table(item, f"item {i} of {name!r}") for i, item in enumerate(items, 1)]
    if {} in tables:
        raise section.fail(f"item {tables.index({}) + 1} of {name!r} is empty")
    return tables


def _table(spot: Spot, name: str) -> _Table:
    """The keys of a mapping, over those of the files that it includes: of these the later ones win."""
    own = spot.mapping(name)
    files = own.pop(_INCLUDE_FILE, None)
    table: _Table = {}
    for file in _files(files) if files else ():
        table |= _table(file, f"the file included by {name}")
    for key, value in own.items():
        if key != _ROW_OPTIONS:
            _check_key(key, value)
    return table | own


def _check_key(key: Any, spot: Spot) -> None:
    if not isinstance(key, str) or "." not in key:
        close = nearest(str(key), _SECTIONS + _SETTINGS)
        raise spot.fail(f"no node in key {key!r}", f"did you mean {close!r}?" if close else _KEY_HINT)
    if not all(key.split(".")):
        raise spot.fail(f"the key {key!r} has an empty part", _KEY_HINT)


def _first_places(tables: Iterable[_Table]) -> dict[str, str]:
    places: dict[str, str] = {}
    for key, spot in chain.from_iterable(table.items() for table in tables):
        if key != _ROW_OPTIONS:
            places.setdefault(key, spot.where)
    return places


def _axes(matrix: _Table, zipped: _Table | None = None) -> tuple[Axis, ...]:
    axes = tuple(Axis((key,), tuple((value,) for value in _values(spot))) for key, spot in matrix.items())
    if not zipped:
        return axes
    for key, spot in zipped.items():
        if key in matrix:
            raise spot.fail(f"the key {key!r} is in both 'matrix' and 'zip'")
    columns = {key: _values(spot) for key, spot in zipped.items()}
    for (one, a), (two, b) in pairwise(columns.items()):
        if len(a) != len(b):
            lengths = f"{one!r} has {len(a)}, {two!r} has {len(b)}"
            raise zipped[two].fail(f"the lists under 'zip' differ in length: {lengths}")
    return (*axes, Axis(tuple(columns), tuple(zip(*columns.values(), strict=True))))


def _variations(table: _Table) -> Entry:
    return Entry({key: _values(spot) for key, spot in table.items()}, _where(table))


def _entry(table: _Table) -> Entry:
    for spot in table.values():
        if isinstance(spot.value, dict) and _INCLUDE_FILE in spot.value:
            raise spot.fail(f"{_INCLUDE_FILE!r} works only where lists are expanded")
    return Entry({key: (spot.value,) for key, spot in table.items()}, _where(table))


def _where(table: _Table) -> str:
    return next(iter(table.values())).where


def _sample(spot: Spot) -> Sample:
    parts = spot.mapping("'sample'")
    for key, part in parts.items():
        if key not in ("n", "seed"):
            raise part.fail(f"unknown key {key!r} in 'sample'", did_you_mean(str(key), ["n", "seed"]))
        if type(part.value) is not int:
            raise part.fail(f"{key!r} of 'sample' must be a whole number, not {short(part.value)}")
    sample = Sample(spot.value.get("n", 0), spot.value.get("seed", 0))
    if sample.n < 1:
        raise spot.fail("'sample' needs 'n', the number of rows, which is at least 1")
    return sample


def _values(spot: Spot) -> tuple[Any, ...]:
    """The points that a value stands for: a list's items, ``__include__`` files spliced in; else itself."""
    items = spot.value if isinstance(spot.value, list) else [spot.value]
    points = tuple(chain.from_iterable(_splice(replace(spot, value=item)) for item in items))
    if not points:
        raise spot.fail(f"there are no values for {spot.path[-1]!r}" if spot.path else "the list is empty")
    return points


def _splice(spot: Spot) -> tuple[Any, ...]:
    if not (isinstance(spot.value, dict) and _INCLUDE_FILE in spot.value):
        return (spot.value,)
    if len(spot.value) > 1:
        raise spot.fail(f"{_INCLUDE_FILE!r} takes a file name and stands alone, not {short(spot.value)}")
    return tuple(chain.from_iterable(map(_values, _files(spot.at(_INCLUDE_FILE)))))


def _files(spot: Spot) -> list[Spot]:
    """The documents in the file or files that are named."""
    names = spot.value if isinstance(spot.value, list) else [spot.value]
    if not all(isinstance(name, str) for name in names):
        raise spot.fail(f"{_INCLUDE_FILE!r} takes a file name or a list of them, not {short(spot.value)}")
    return [_opened(spot, name) for name in names]


def _opened(spot: Spot, name: str) -> Spot:
    file = spot.folder / name
    if not file.is_file():
        file = _of_package(spot, name) or file
    if not file.is_file():
        raise spot.fail(f"no such file to include: {name!r}", neighbour(file))
    if file.resolve() in spot.including:
        raise spot.fail(f"the file {name!r} includes itself")
    return open_file(file, including=(*spot.including, file.resolve()))


def _of_package(spot: Spot, name: str) -> Path | None:
    """The file that `package:path` means, one that comes with an installed package."""
    package, colon, path = name.partition(":")
    if not colon or not re.fullmatch(r"\w+(\.\w+)*", package):
        return None
    try:
        found = find_spec(package)
    except ImportError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise spot.fail(f"no package {package!r} to include a file of")
    return Path(next(iter(found.submodule_search_locations))) / path


def _group_number(name: str) -> int:
    return int(name.removeprefix("submatrices") or 0)
