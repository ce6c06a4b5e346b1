"""Where a document comes from (file, inline text, mapping), and its values with the places where they stand.

What a document may hold is decided by its readers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from reprlib import repr as short
from typing import Any

from kwdag.errors import MatrixError, nearest
from kwdag.yamlio import Document, load_yaml, read_yaml


@dataclass(frozen=True, slots=True)
class Spot:
    """A value of a document and the place where it stands.

    Relative paths in it start from ``folder``; ``including`` are the files whose ``__include__`` led to it.
    """

    value: Any
    doc: Document
    folder: Path
    path: tuple[Any, ...] = ()
    including: tuple[Path, ...] = ()

    @property
    def where(self) -> str:
        return self.doc.where(*self.path)

    def fail(self, message: str, hint: str | None = None) -> MatrixError:
        return MatrixError(message, where=self.where, hint=hint)

    def at(self, key: Any) -> Spot:
        return replace(self, value=self.value[key], path=(*self.path, key))

    def mapping(self, name: str) -> dict[Any, Spot]:
        if not isinstance(self.value, dict):
            raise self.fail(f"{name} must be a mapping, not {short(self.value)}")
        return {key: self.at(key) for key in self.value}

    def list(self, name: str) -> list[Spot]:
        if not isinstance(self.value, list):
            raise self.fail(f"{name} must be a list of mappings, not {short(self.value)}")
        return [self.at(i) for i in range(len(self.value))]


def open_source(source: str | os.PathLike[str] | Mapping[str, Any]) -> Spot:
    """The whole document in a file, inline YAML or JSON, or a mapping."""
    if isinstance(source, Mapping):
        return Spot(_plain(source), Document(None, "params"), Path())
    text = os.fspath(source)
    # Not pathlib, which raises for a text that is too long to be a path.
    if os.path.exists(text) and not os.path.isdir(text):  # noqa: PTH110, PTH112
        return open_file(Path(text))
    if not isinstance(source, str) or _looks_like_path(text):
        if os.path.isdir(text):  # noqa: PTH112
            raise MatrixError("this is a folder, not a params file", where=text)
        raise MatrixError(f"no such params file {text!r}", hint=neighbour(Path(text)))
    doc = load_yaml(text, "params")
    return Spot(doc.data, doc, Path())


def open_file(path: Path, including: tuple[Path, ...] = ()) -> Spot:
    doc = read_yaml(path)
    return Spot(doc.data, doc, path.parent, including=including)


def _looks_like_path(text: str) -> bool:
    """Whether text is no document: one word or path, and not a list or a mapping on one line."""
    line = text.strip()
    is_yaml = line.startswith(("{", "[", "#")) or line.endswith(":") or "\n" in line or ": " in line
    return bool(line) and not is_yaml


def neighbour(path: Path) -> str | None:
    """A hint that names the file beside ``path`` which was most likely meant."""
    names = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    close = nearest(path.name, names)
    return f"did you mean {str(path.with_name(close))!r}?" if close else None


def _plain(value: Any) -> Any:
    """``value`` as YAML would give it: paths as text; tuples, ranges and numpy arrays as lists."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    message = f"{short(value)} of type {type(value).__name__!r} has no form in YAML"
    raise MatrixError(message, where="params")
