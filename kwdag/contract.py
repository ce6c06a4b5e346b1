"""Whether what a job wrote is a result: outputs there, JSON whole, metrics as the node declares.

Reads only. A job that breaks its contract has failed, whatever its exit code.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kwdag.node import ProcessNode
from kwdag.plan import Item
from kwdag.stamps import Stamp, content, look

#: Larger JSON files are checked at their first and last byte only.
PARSE_LIMIT = 64 * 2**20
#: Outputs up to this size are hashed, so that a copied root still counts as done; it is read from memory.
HASH_LIMIT = 2**26

_TYPES: dict[Any, tuple[type, ...]] = {"float": (int, float), "int": (int,), "bool": (bool,), "str": (str,)}


class BrokenContract(Exception):
    """What is wrong with a job's result, in one sentence."""


def check_outputs(node: ProcessNode, dpath: str) -> dict[str, Stamp]:
    """The stamps of the declared outputs.

    Raises:
        BrokenContract: one is missing, or is JSON and cut.
    """
    stamps: dict[str, Stamp] = {}
    for key, name in node.out_paths.items():
        inside = os.path.normpath(name)
        if inside == ".":
            continue
        path = f"{dpath}/{inside}"
        now = look(path)
        if now is None:
            raise BrokenContract(f"output {key!r} ({inside}) is missing")
        if path.endswith((".json", ".geojson")) and not os.path.isdir(path):
            _check_json(key, inside, path, now[0])
        stamps[key] = [*now, content(path) if now[0] <= HASH_LIMIT else None]
    return stamps


def _check_json(key: str, name: str, path: str, size: int) -> None:
    with open(path, "rb") as file:
        if size > PARSE_LIMIT:
            first = file.read(64).lstrip()[:1]
            file.seek(-64, os.SEEK_END)
            whole = first + file.read().rstrip()[-1:] in (b"{}", b"[]")
        else:
            try:
                json.loads(file.read())
                whole = True
            except ValueError:
                whole = False
    if not whole:
        raise BrokenContract(f"output {key!r} ({name}) is not whole JSON")


def check_metrics(node: ProcessNode, dpath: str) -> dict[str, Any] | None:
    """The metrics of a job's result, None for a node that declares none.

    Raises:
        BrokenContract: the result cannot be loaded, or a metric is NaN, missing or out of bounds.
    """
    declared = node.default_metrics()
    if not declared:
        return None
    prefix = f"metrics.{node.name}."
    try:
        flat = node.load_result(Path(dpath))
    except Exception as error:  # a hook of the user's may raise anything
        raise BrokenContract(f"the result cannot be loaded: {type(error).__name__}: {error}") from None
    metrics = {key[len(prefix) :]: _plain(value) for key, value in flat.items() if key.startswith(prefix)}
    for name, value in metrics.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BrokenContract(f"metric {name!r} is {value}")
    for entry in declared:
        _check_metric(entry, metrics)
    return metrics


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's own: only those can be compared by type and written as JSON."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _check_metric(entry: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    name = entry["metric"]
    value = metrics.get(name)
    if value is None:
        if entry.get("required"):
            raise BrokenContract(f"metric {name!r} is missing")
        return
    kind = entry.get("type") or ("float" if entry.get("range") else None)
    allowed = _TYPES.get(kind, (object,))
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed and kind):
        raise BrokenContract(f"metric {name!r} is {value!r}, not of type {kind}")
    low, high = entry.get("range") or (None, None)
    if (low is not None and value < low) or (high is not None and value > high):
        raise BrokenContract(f"metric {name!r} is {value!r}, outside [{low}, {high}]")


def read_items(node: ProcessNode, dpath: str) -> list[Item]:
    """What a scattering job listed: `[{"key": ..., "values": {...}}, ...]` or `{"items": [...]}`.

    Raises:
        BrokenContract: the list is missing, malformed or names a key twice.
    """
    assert node.scatter is not None
    name = node.out_paths[node.scatter]
    try:
        data = json.loads(Path(dpath, name).read_bytes())
    except (OSError, ValueError):
        raise BrokenContract(f"output {node.scatter!r} ({name}) is not whole JSON") from None
    entries = data.get("items") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise BrokenContract(f"output {node.scatter!r} ({name}) is not a list of items")
    items: dict[str, Item] = {}
    for entry in entries:
        key = entry.get("key") if isinstance(entry, dict) else None
        values = entry.get("values", {}) if isinstance(entry, dict) else None
        if not isinstance(key, str) or not key or "\0" in key or not isinstance(values, dict):
            raise BrokenContract(f"an item of {name} needs a text 'key' and a mapping 'values': {entry!r}")
        if key in items:
            raise BrokenContract(f"{name} lists the key {key!r} twice")
        items[key] = Item(key, values)
    return list(items.values())


def check(node: ProcessNode, dpath: str) -> tuple[dict[str, Stamp], dict[str, Any] | None]:
    """Stamps of the outputs and metrics of a job that exited with 0; raises BrokenContract."""
    stamps = check_outputs(node, dpath)
    if node.scatter is not None:
        read_items(node, dpath)
    return stamps, check_metrics(node, dpath)
