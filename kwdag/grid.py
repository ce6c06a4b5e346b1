"""Rows on one side, nodes on the other: the table that planning fills, and what a row says of a node.

Pure. How a cell is filled is resolve.py's business; gather.py and scatter.py read and reshape the table.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kwdag.errors import PlanError
from kwdag.node import REQUIRED, SWITCHES, ProcessNode, overrides_refuse
from kwdag.pipeline import Wiring
from kwdag.plan import Branch, External, Job, Output, Source
from kwdag.ports import Edge
from kwdag.render import Token, token


class Mark:
    """Stands in a cell that has no job."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


OPEN = Mark("open")  # not known until a scattering job has run
ABSENT = Mark("absent")  # disabled and not resolvable, or behind a scattering job that listed nothing


class Grid:
    """The table of rows and nodes.

    Attributes:
        rows: the rows of the matrix; a scattering node multiplies them.
        cells: node -> for each row its job, or a Mark. Filled node by node, upstream first.
        branches: row -> scattering node -> the branch that the row belongs to.
        marks: row -> scattering node -> why nothing behind it has a job in this row.
        keys: node -> parameter -> the keys under which rows give it, an old name last.
    """

    def __init__(
        self, wiring: Wiring, rows: Sequence[Mapping[str, Any]], workdir: str, where: Mapping[str, str]
    ):
        self.wiring = wiring
        self.rows: list[Mapping[str, Any]] = list(rows)
        self.workdir = workdir
        self.where = where
        self.cells: dict[str, list[Job | Mark]] = {}
        self.branches: dict[int, dict[str, Branch]] = {}
        self.marks: dict[int, dict[str, Mark]] = {}
        self._tokens: dict[int, Token] = {id(REQUIRED): REQUIRED}  # type: ignore[dict-item]
        self._externals: dict[tuple[Token, bool], External | None] = {}
        self._kept: list[Any] = []
        self.find_keys()

    def find_keys(self) -> None:
        """Work out which keys belong to which node; again after rows have changed."""
        self.keys: dict[str, dict[str, list[str]]] = {name: {} for name in self.wiring.nodes}
        for key in dict.fromkeys(key for row in self.rows for key in row):
            owned = self.wiring.owner(key)
            if owned is not None:
                new = self.wiring.nodes[owned[0]].renamed.get(owned[1])
                keys = self.keys[owned[0]].setdefault(new or owned[1], [])
                keys.append(key) if new else keys.insert(0, key)

        wired = self.wiring.sources
        self._wired_keys = {
            key: (node, port)
            for node, ports in self.keys.items()
            for port, keys in ports.items()
            if (node, port) in wired
            for key in keys
        }

    def cut(self, index: int) -> set[tuple[str, str]]:
        """The connected ports, as (node, port), to which a row gives values of its own."""
        return {port for key, port in self._wired_keys.items() if key in self.rows[index]}

    def params_of(self, node: ProcessNode) -> dict[str, list[str]]:
        """The parameters that any row gives for a node, without the scheduler's switches."""
        return {name: keys for name, keys in self.keys[node.name].items() if name not in SWITCHES}

    def token(self, value: Any) -> Token:
        """The text of a value, worked out once for each object: a matrix repeats its values in many rows.

        REQUIRED, which stands for no value, stays what it is: no text may be taken for it.
        """
        found = self._tokens.get(id(value), self)
        if found is self:
            found = self._tokens[id(value)] = token(value)
            self._kept.append(value)  # alive, so that no other object gets its id
        return found  # type: ignore[return-value]

    def given(self, index: int, keys: Iterable[str]) -> Any:
        """The value that a row gives under one of several keys, else REQUIRED."""
        row = self.rows[index]
        for key in keys:
            if key in row:
                return row[key]
        return REQUIRED

    def external(self, node: ProcessNode, name: str, value: Any) -> External | None:
        """A given value as a source; None for an input that was given as null."""
        key = (self.token(value), name in node.in_paths)
        if overrides_refuse(node):
            self._ask(node, name, key[0])
        if key not in self._externals:
            self._externals[key] = self._external(node, name, *key)
        return self._externals[key]

    def _ask(self, node: ProcessNode, name: str, found: Token) -> None:
        """Raise PlanError if the node refuses a value."""
        for text in (found,) if isinstance(found, str) else found or ():
            if problem := node.refuse(name, text):
                key = f"{node.name}.{name}"
                raise PlanError(f"{key} {problem}", where=self.where.get(key))

    def _external(self, node: ProcessNode, name: str, found: Token, is_path: bool) -> External | None:
        if found is None:
            return None if is_path else External(None)
        _check_text(found if isinstance(found, str) else "".join(found), self.place(node, name))
        if not is_path:
            return External(found)
        return External(
            self._absolute(found) if isinstance(found, str) else tuple(map(self._absolute, found))
        )

    def _absolute(self, path: str) -> str:
        if "://" in path:
            return path
        if path.startswith("~"):
            path = os.path.expanduser(path)
        return os.path.normpath(os.path.join(self.workdir, path))

    def wired(self, edge: Edge | None, index: int) -> Source | Mark | None:
        """What a connection brings in a row; None without one."""
        if edge is None:
            return None
        upstream = self.cells[edge.src_node][index]
        if isinstance(upstream, Mark):
            return upstream
        if edge.src_kind != "output":
            return upstream.sources.get(edge.src_port)
        if upstream.node.scatter == edge.src_port:
            return self.branches[index][edge.src_node]
        return Output(upstream, edge.src_port)

    def place(self, node: ProcessNode, name: str) -> str:
        """Where a parameter is given, for a message."""
        key = f"{node.name}.{name}"
        return self.where.get(key, key)


def _check_text(text: str, where: str) -> None:
    """Raise PlanError for what no program can get as an argument."""
    if "\0" in text:
        raise PlanError("a NUL character cannot be passed to a program", where=where)
    if not text.isascii():
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise PlanError("half a surrogate pair cannot be passed to a program", where=where) from None
