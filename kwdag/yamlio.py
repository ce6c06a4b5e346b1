"""YAML text -> plain Python values, with the line of every key for error messages.

What the values mean is decided elsewhere; YAML is not written here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import yaml
from yaml import events

from kwdag.errors import MatrixError

MAX_DEPTH = 100
MAX_NODES = 1_000_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_TAGGED_TYPES = {_CORE + "null": type(None), _CORE + "bool": bool, _CORE + "int": int, _CORE + "float": float}

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **{sign + inf: float(sign + "inf") for sign in ("", "+", "-") for inf in (".inf", ".Inf", ".INF")},
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
}
# Unlike YAML 1.2, 007 is no integer: a region or a version is written so, and must keep its zeros.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Document:
    """Plain values (None, bool, int, float, str, list, dict) and where they stand.

    ``lines`` maps the path of each mapping key, such as ``("include", 0, "predict.param1")``, to its
    line, counted from 1. What an alias repeats is the same object, and has the line of the alias's key.
    """

    data: Any
    name: str
    lines: dict[tuple[Hashable, ...], int] = field(default_factory=dict)

    def where(self, *path: Hashable) -> str:
        """The name and the line of the nearest key at or above ``path``; the name alone if there is none."""
        for end in range(len(path), 0, -1):
            if line := self.lines.get(path[:end]):
                return f"{self.name}, line {line}"
        return self.name


def read_yaml(path: str | os.PathLike[str]) -> Document:
    """The document in a UTF-8 file; raises MatrixError as :func:`load_yaml` does, or if it cannot be read."""
    name = os.fspath(path)
    try:
        with open(name, encoding="utf-8-sig") as file:
            text = file.read()
    except OSError as error:
        raise MatrixError(f"cannot read {name!r}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise MatrixError("the file is not UTF-8 text", where=name) from None
    return load_yaml(text, name)


def load_yaml(text: str, name: str) -> Document:
    """The one document in ``text``, by the rules of YAML 1.2 with merge keys (``<<``).

    Raises MatrixError with the line: for malformed YAML, a duplicate key, an object tag, and for nesting
    or aliases that would expand beyond ``MAX_DEPTH`` levels or ``MAX_NODES`` values.
    """
    builder = _Builder(text, name)
    try:
        return Document(builder.document(), name, builder.lines)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        # JSON may hold what YAML refuses: control characters, and surrogate pairs (an escaped emoji).
        if text.lstrip().startswith(("{", "[")):
            try:
                return Document(json.loads(text, object_pairs_hook=partial(_unique, name)), name)
            except (ValueError, RecursionError):
                pass
        raise _malformed(error, text, name) from None


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar.

    >>> [plain_scalar(text) for text in ["1e-3", "yes", "0x1F", "007", "12:30", "~"]]
    [0.001, 'yes', 31, '007', '12:30', None]
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Builder:
    """Builds values from the parser's events; the composer of libyaml overflows the stack on deep nesting."""

    def __init__(self, text: str, name: str) -> None:
        self.events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self.name = name
        self.lines: dict[tuple[Hashable, ...], int] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}  # the value and how many nodes it holds
        self.nodes = 0

    def document(self) -> Any:
        next(self.events)  # the stream starts
        if isinstance(next(self.events), events.StreamEndEvent):
            return None
        data = self.node(next(self.events), ())
        next(self.events)  # the document ends
        after = next(self.events)
        if not isinstance(after, events.StreamEndEvent):
            raise self.error(after, "there must be one YAML document, here starts another")
        return data

    def node(self, event: Any, path: tuple[Hashable, ...]) -> Any:
        if len(path) > MAX_DEPTH:
            raise self.error(event, f"values are nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, events.AliasEvent):
            return self.alias(event)
        before = self.nodes
        self.count(event, 1)
        if isinstance(event, events.ScalarEvent):
            value = self.scalar(event)
        elif isinstance(event, events.SequenceStartEvent):
            value = self.sequence(event, path)
        else:
            value = self.mapping(event, path)
        if event.anchor:
            self.anchors[event.anchor] = value, self.nodes - before
        return value

    def count(self, event: Any, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self.error(event, f"the document expands to more than {MAX_NODES:,} values")

    def alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            raise self.error(event, f"the alias '*{event.anchor}' has no anchor before it")
        value, nodes = self.anchors[event.anchor]
        self.count(event, nodes)
        return value

    def scalar(self, event: Any) -> Any:
        if event.tag == _CORE + "str" or (event.tag is None and not event.implicit[0]):
            return event.value
        try:
            value = plain_scalar(event.value)
        except ValueError:
            raise self.error(event, "a number has too many digits") from None
        return value if event.tag is None else self.tagged(event, value)

    def tagged(self, event: Any, value: Any) -> Any:
        kind = _TAGGED_TYPES.get(event.tag)
        if kind is None:
            raise self.error(event, f"the tag {_short(event.tag)!r} is not allowed")
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise self.error(event, f"{event.value!r} does not fit its tag {_short(event.tag)!r}")
        return value

    def sequence(self, start: Any, path: tuple[Hashable, ...]) -> list[Any]:
        self.refuse_tag(start, "seq")
        items: list[Any] = []
        while not isinstance(event := next(self.events), events.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items))))
        return items

    def mapping(self, start: Any, path: tuple[Hashable, ...]) -> dict[Any, Any]:
        self.refuse_tag(start, "map")
        items: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        while not isinstance(event := next(self.events), events.MappingEndEvent):
            key = self.key(event, path)
            if key == "<<" and event.implicit[0]:
                merged = self.merge(event, self.node(next(self.events), (*path, key))) | merged
                continue
            if key in items:
                first = self.lines.get((*path, key))
                raise self.error(event, f"the key {key!r} is given twice, first in line {first}")
            self.lines[*path, key] = event.start_mark.line + 1
            items[key] = self.node(next(self.events), (*path, key))
        return {**merged, **items} if merged else items

    def key(self, event: Any, path: tuple[Hashable, ...]) -> Any:
        if not isinstance(event, events.ScalarEvent):
            raise self.error(event, "a key must be a single word, not a list, a mapping or an alias")
        return self.node(event, path)

    def merge(self, event: Any, value: Any) -> dict[Any, Any]:
        """The mappings under a merge key as one; the first that has a key wins."""
        merged: dict[Any, Any] = {}
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise self.error(event, "'<<' needs a mapping or a list of mappings")
            merged = part | merged
        return merged

    def refuse_tag(self, event: Any, allowed: str) -> None:
        if event.tag not in (None, _CORE + allowed):
            raise self.error(event, f"the tag {_short(event.tag)!r} is not allowed")

    def error(self, event: Any, message: str) -> MatrixError:
        return MatrixError(message, where=f"{self.name}, line {event.start_mark.line + 1}")


def _short(tag: str) -> str:
    return tag.replace(_CORE, "!!")


def _unique(name: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise MatrixError(f"the key {key!r} is given twice", where=name)
        result[key] = value
    return result


def _malformed(error: Exception, text: str, name: str) -> MatrixError:
    mark = getattr(error, "problem_mark", None)
    # Where a character stands that YAML does not allow (in bytes), or that is no text at all.
    offset = getattr(error, "position", getattr(error, "start", 0))
    line = mark.line if mark else text.encode(errors="surrogatepass")[:offset].count(b"\n")
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    return MatrixError(f"malformed YAML: {problem}", where=f"{name}, line {line + 1}")
