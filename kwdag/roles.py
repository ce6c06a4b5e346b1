"""What the parameters of a row mean: which enter its param_hashid, which name the region it was measured on.

Pure functions on result tables; metrics and ranks are the business of others.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kwdag.columns import texts
from kwdag.region_names import region_names
from kwdag.render import Token, token

if TYPE_CHECKING:
    import pandas as pd

    from kwdag.node import ProcessNode

UNKNOWN_REGION = "unknown"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Roles:
    """What the pipeline says of its parameters; every key is dotted, `<node>.<param>`.

    Attributes:
        unhashed: perf params and those tagged `dataset` or `volatile`: they stay out of ``param_hashid``.
        paths: inputs, whose values are file names.
        neutral: the value at which a parameter does not enter the hash.
        renamed: old -> new name; the hash knows the parameter by its old one.
        regions: path of a dataset -> name of its region, where the stem is not enough.
    """

    unhashed: frozenset[str] = frozenset()
    dataset: frozenset[str] = frozenset()
    model: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    neutral: Mapping[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    regions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Iterable[ProcessNode]) -> Roles:
        nodes = list(nodes)
        perf = frozenset(f"{node.name}.{key}" for node in nodes for key in node.perf_params)
        dataset, model, volatile = (_tagged(nodes, tag) for tag in ("dataset", "model", "volatile"))
        return cls(
            unhashed=perf | dataset | volatile,
            dataset=dataset,
            model=model,
            paths=frozenset(f"{node.name}.{key}" for node in nodes for key in node.in_paths),
            neutral={f"{node.name}.{key}": value for node in nodes for key, value in node.neutral.items()},
            renamed={f"{n.name}.{old}": f"{n.name}.{new}" for n in nodes for old, new in n.renamed.items()},
        )


def _tagged(nodes: Iterable[ProcessNode], wanted: str) -> frozenset[str]:
    return frozenset(
        f"{node.name}.{key}" for node in nodes for key, tag in node.tags.items() if tag == wanted
    )


def param_columns(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith("params.")]


def hashed_columns(table: pd.DataFrame, roles: Roles) -> list[str]:
    """The parameter columns that enter ``param_hashid``."""
    return [name for name in param_columns(table) if _key(name) not in roles.unhashed]


def with_identity(table: pd.DataFrame, node: str, roles: Roles) -> pd.DataFrame:
    """The table with ``param_hashid`` and ``region_id``; renamed parameters stand under their new names.

    A row that has them already, as an exported one has, keeps them.
    """
    table = _merge_renamed(table, roles)
    found = {"region_id": _regions(table, node, roles), "param_hashid": _hashids(table, roles)}
    for name in found.keys() & set(table.columns):
        given = table[name].tolist()
        found[name] = [
            old if isinstance(old, str) else new for old, new in zip(given, found[name], strict=True)
        ]
    table = table.assign(**{name: texts(values) for name, values in found.items()})
    first = ["region_id", "param_hashid"]
    return table[first + [name for name in table.columns if name not in first]]


def param_hashid(params: Mapping[str, Any], roles: Roles | None = None) -> str:
    """Twelve lower-case letters that stand for the parameters (dotted keys) of one row.

    A None is as good as no parameter, and a value counts as the text that the program receives.
    """
    identity = _Identity(roles or Roles())
    keys = identity.in_order(key for key in params if key not in identity.roles.unhashed)
    return _hashid(identity.pair(key, token(params[key])) for key in keys)


class _Identity:
    """The roles, arranged for quick questions."""

    def __init__(self, roles: Roles):
        self.roles = roles
        self.neutral = {key: token(value) for key, value in roles.neutral.items()}
        self.original = {new: old for old, new in roles.renamed.items()}

    def in_order(self, keys: Iterable[str]) -> list[str]:
        """The keys in the order in which they enter the hash."""
        return sorted(keys, key=lambda key: self.original.get(key, key))

    def pair(self, key: str, text: Token) -> str | None:
        """What of a parameter enters the hash, as JSON; None for nothing."""
        if text is None or self.neutral.get(key) == text:
            return None
        return _as_json((self.original.get(key, key), text))


_as_json = json.JSONEncoder(separators=(",", ":")).encode


def _hashid(pairs: Iterable[str | None]) -> str:
    canonical = f"[{','.join(filter(None, pairs))}]".encode()
    number = int.from_bytes(hashlib.sha256(canonical).digest()[:16], "big") % 26**12
    letters = []
    for _ in range(12):
        number, digit = divmod(number, 26)
        letters.append(_LETTERS[digit])
    return "".join(letters)


def _hashids(table: pd.DataFrame, roles: Roles) -> list[str]:
    identity = _Identity(roles)
    keys = identity.in_order(map(_key, hashed_columns(table, roles)))
    columns = [_pairs(_tokens(table, f"params.{key}", key in roles.paths), key, identity) for key in keys]
    return list(map(_hashid, zip(*columns, strict=True))) if columns else [_hashid(())] * len(table)


def _pairs(tokens: list[Token], key: str, identity: _Identity) -> list[str | None]:
    """What enters the hash of each row, worked out once for each value."""
    known: dict[Token, str | None] = {}
    for text in tokens:
        if text not in known:
            known[text] = identity.pair(key, text)
    return [known[text] for text in tokens]


def _tokens(table: pd.DataFrame, column: str, is_path: bool) -> list[Token]:
    """The values as the program receives them; a path below the row's own root relative to that root."""
    tokens = [token(value) for value in table[column].tolist()]
    if not is_path or "dpath" not in table:
        return tokens
    prefixes = (dpath.rsplit("/", 2)[0] + "/" for dpath in table["dpath"].tolist())
    return [t.removeprefix(p) if isinstance(t, str) else t for t, p in zip(tokens, prefixes, strict=True)]


def _regions(table: pd.DataFrame, node: str, roles: Roles) -> list[str]:
    """The data that each row was measured on: the node's own dataset, else that of its ancestors."""
    tagged = [name for name in param_columns(table) if _key(name) in roles.dataset]
    own = [name for name in tagged if name.startswith(f"params.{node}.")]
    columns = [_stems_of(name, table[name].tolist(), roles) for name in own or tagged]
    return ["+".join(dict.fromkeys(chain(*row))) or UNKNOWN_REGION for row in zip(*columns, strict=True)] or [
        UNKNOWN_REGION
    ] * len(table)


def telling_apart(roles: Roles, tables: Iterable[pd.DataFrame]) -> Roles:
    """The roles with a name of its own for each dataset, where the tables hold several of one stem.

    Files below different roots are not told apart: one dataset may lie elsewhere on each machine.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for table in tables:
        for name in param_columns(table):
            if _key(name) in roles.dataset & roles.paths and "dpath" in table:
                for dpath, value in set(zip(table["dpath"], map(token, table[name]), strict=True)):
                    found[dpath.rsplit("/", 2)[0]].update([value] if isinstance(value, str) else value or ())
    return replace(roles, regions={k: v for paths in found.values() for k, v in region_names(paths).items()})


def _stems_of(name: str, values: Iterable[Any], roles: Roles) -> list[list[str]]:
    """The parts of a region's name that a column gives each row, worked out once for each value."""
    known: dict[Token, list[str]] = {}
    found = []
    for value in values:
        text = token(value)
        if text not in known:
            known[text] = _stems(name, value, roles)
        found.append(known[text])
    return found


def _stems(name: str, value: Any, roles: Roles) -> list[str]:
    if value is None:
        return []
    texts = map(str, value if isinstance(value, list) else [value])
    is_path = _key(name) in roles.paths
    return [
        (roles.regions.get(text) or PurePath(text).stem) if is_path or "/" in text else text for text in texts
    ]


def _merge_renamed(table: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    for old, new in roles.renamed.items():
        source, target = f"params.{old}", f"params.{new}"
        if source in table:
            merged = table[source]
            if target in table:
                merged = table[target].where(table[target].notna(), merged)
            table = table.drop(columns=source).assign(**{target: merged})
    return table


def _key(column: str) -> str:
    return column.removeprefix("params.")
