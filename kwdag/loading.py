"""What a program's result JSON says: its metrics, and what it recorded of itself.

One file in, one flat mapping out; joining rows is results.py's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag.errors import ResultError

if TYPE_CHECKING:
    from kwdag.node import ProcessNode


@dataclass(frozen=True, slots=True)
class ResultFile:
    """Where the result of a node without a hook of its own lies, and what in it is the result.

    Attributes:
        name: the file, relative to the job directory.
        info: dotted path of the list in which the process described itself.
        metrics: dotted paths of the metrics; the first that is there counts.
    """

    node: str
    name: str
    info: str
    metrics: tuple[str, ...]

    def parse(self, content: bytes) -> dict[str, Any]:
        """The flat result in the bytes of the file; raises ValueError, or RecursionError for deep nesting."""
        data = json.loads(content)
        nested: dict[str, Any] = {}
        info = dotted(data, self.info)
        if isinstance(info, list) and info and isinstance(info[-1], Mapping) and "properties" in info[-1]:
            nested = process_info(info[-1])
        for path in self.metrics:
            metrics = dotted(data, path)
            if isinstance(metrics, Mapping):
                nested["metrics"] = metrics
                break
        return {_prefixed(key, self.node): value for key, value in flatten(nested)}


def result_file(node: ProcessNode) -> ResultFile | None:
    """The file that ``load_result`` reads; None where the node names code for it, or has no output."""
    if node._load_result_ref is not None or node.primary_out_key is None:
        return None
    metrics = [node.result["metrics"]] if "metrics" in node.result else ["result.metrics", "metrics"]
    name = node.out_paths[node.primary_out_key]
    return ResultFile(node.name, name, node.result.get("info", "info"), tuple(metrics))


def load_result(node: ProcessNode, node_dpath: Path) -> dict[str, Any]:
    """The flat result of a job directory: `metrics.<node>.<name>`, `context.<node>.<name>`, ...

    Metrics are found at `result.metrics`, else at `metrics`, or where the node's ``result`` says.

    Raises:
        ResultError: the node has no output. OSError, ValueError: its file cannot be read.
    """
    if node._load_result_ref is not None:
        from kwdag.importing import import_dotted

        return dict(import_dotted(node._load_result_ref)(node, node_dpath))
    file = result_file(node)
    if file is None:
        raise ResultError(f"node {node.name!r} has no output to load a result from")
    return file.parse((node_dpath / file.name).read_bytes())


def process_info(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a process recorded of itself, as `context`, `resolved_params`, `resources` and `machine`.

    Args:
        item: an entry of type `process` in the `info` list of a result file (kwutil's ProcessContext).
    """
    props = item["properties"]
    start = props.get("start_timestamp")
    stop = props.get("stop_timestamp", props.get("end_timestamp"))
    context = {
        "task": props.get("name"),
        "uuid": props.get("uuid"),
        "start_timestamp": start,
        "stop_timestamp": stop,
    }
    resources = dict(flatten(props.get("emissions") or {}))
    if props.get("duration") is not None:
        resources["duration"] = props["duration"]
    return {
        "context": context,
        "resolved_params": props.get("config") or {},
        "resources": resources,
        "machine": props.get("machine") or {},
    }


def flatten(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and leaves of nested mappings.

    >>> dict(flatten({"a": {"b": 1, "c": {}}, "d": [2]}))
    {'a.b': 1, 'd': [2]}
    """
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def dotted(data: Any, path: str | None) -> Any:
    """The value at a dotted path of nested mappings, or None."""
    for part in (path or "").split("."):
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _prefixed(key: str, node: str) -> str:
    head, _, rest = key.partition(".")
    return f"{head}.{node}.{rest}"
