"""Pipelines as data: a mapping of nodes and a list of edges, both ways.

Nothing is evaluated: only `class` and `load_result` name code, and that code is imported, not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kwdag.errors import PipelineError, did_you_mean
from kwdag.importing import import_dotted
from kwdag.node import FIELDS, REQUIRED, ProcessNode
from kwdag.pipeline import Pipeline
from kwdag.ports import Edge, Gather, Port

_TOP_KEYS = ("nodes", "edges", "__doc__")


def from_spec(spec: Mapping[str, Any]) -> Pipeline:
    """Build a pipeline from `{nodes: {name: {...}}, edges: ["a.out -> b.in", ...]}`.

    Raises:
        PipelineError: naming the node, key or edge that is wrong.
    """
    for key in spec:
        if key not in _TOP_KEYS:
            raise PipelineError(
                f"unknown key {key!r} in the pipeline", hint=did_you_mean(str(key), _TOP_KEYS)
            )
    if not isinstance(spec.get("nodes"), Mapping) or not spec["nodes"]:
        raise PipelineError("a pipeline needs 'nodes', a mapping of name to node")
    nodes = {str(name): _node(str(name), body) for name, body in spec["nodes"].items()}
    edges = spec.get("edges") or []
    if not isinstance(edges, list | tuple):
        raise PipelineError(f"'edges' must be a list, not {edges!r}")
    for edge in edges:
        _connect(nodes, edge)
    return Pipeline(nodes, doc=spec.get("__doc__"))


def _node(name: str, body: Any) -> ProcessNode:
    if not isinstance(body, Mapping):
        raise PipelineError(f"node {name!r} must be a mapping, not {body!r}")
    fields = dict(body)
    cls = ProcessNode
    if "class" in fields:
        cls = import_dotted(str(fields.pop("class")))
        if not (isinstance(cls, type) and issubclass(cls, ProcessNode)):
            raise PipelineError(f"class of node {name!r} is not a ProcessNode: {body['class']!r}")
    if "name" in fields:
        raise PipelineError(f"node {name!r} must not hold 'name'", hint="its key is its name")
    return cls(name=name, **fields)


def _connect(nodes: Mapping[str, ProcessNode], edge: Any) -> None:
    src, dst, gather = _edge_ends(edge)
    source = _port(nodes, src, ("outputs", "inputs", "params"), edge)
    target = _port(nodes, dst, ("inputs", "params"), edge)
    source.connect(target, gather=gather)


def _edge_ends(edge: Any) -> tuple[str, str, Any]:
    if isinstance(edge, str) and edge.count("->") == 1:
        src, dst = (end.strip() for end in edge.split("->"))
        return src, dst, None
    if isinstance(edge, Mapping) and {"src", "dst"} <= set(edge) <= {"src", "dst", "gather"}:
        return str(edge["src"]), str(edge["dst"]), edge.get("gather")
    raise PipelineError(f"an edge is 'a.out -> b.in' or {{src, dst, gather}}, not {edge!r}")


def _port(nodes: Mapping[str, ProcessNode], end: str, kinds: tuple[str, ...], edge: Any) -> Port:
    owners = [name for name in nodes if end.startswith(name + ".")]
    if not owners:
        raise PipelineError(
            f"edge {edge!r}: no node in {end!r}", hint=did_you_mean(end.rpartition(".")[0], nodes)
        )
    name = max(owners, key=len)
    port = end[len(name) + 1 :]
    ports = {key: found for kind in kinds for key, found in getattr(nodes[name], kind).items()}
    if port not in ports:
        raise PipelineError(
            f"edge {edge!r}: node {name!r} has no port {port!r}", hint=did_you_mean(port, ports)
        )
    return ports[port]


def to_spec(pipeline: Pipeline) -> dict[str, Any]:
    """The mapping that ``from_spec`` reads back to an equal pipeline.

    A node whose class has hooks of its own is written as a reference to that class.
    """
    spec: dict[str, Any] = {"__doc__": pipeline.doc} if pipeline.doc else {}
    spec["nodes"] = {node.name: _node_spec(node) for node in pipeline.node_list}
    spec["edges"] = [_edge_spec(edge) for node in pipeline.node_list for edge in node.edges]
    return spec


def _node_spec(node: ProcessNode) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    cls = type(node)
    if cls is not ProcessNode:
        if "." in cls.__qualname__ or cls.__module__ == "__main__":
            raise PipelineError(
                f"node {node.name!r}: its class {cls.__qualname__} cannot be imported by name"
            )
        spec["class"] = f"{cls.__module__}.{cls.__qualname__}"
    spec |= node_fields(node)
    if node._load_result_ref is not None:
        spec["load_result"] = node._load_result_ref
    return spec


def node_fields(node: ProcessNode) -> dict[str, Any]:
    """What a node declares, as data: all of it but the hooks of its class."""
    values = {key: _plain(getattr(node, key)) for key in FIELDS}
    return {key: v for key, v in values.items() if v != _plain(FIELDS[key]) and v != _plain({})}


def _plain(value: Any) -> Any:
    """As YAML would hold it: names without defaults become a list."""
    if isinstance(value, Mapping):
        if value and all(default is REQUIRED for default in value.values()):
            return list(value)
        return {k: None if v is REQUIRED else _lists(v) for k, v in value.items()} or []
    if isinstance(value, frozenset):
        return sorted(value)
    return _lists(value)


def _lists(value: Any) -> Any:
    """The same value with lists for tuples, at any depth."""
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def _edge_spec(edge: Edge) -> str | dict[str, Any]:
    if edge.gather is None:
        return str(edge)
    return {"src": edge.src, "dst": edge.dst, "gather": Gather.to_spec(edge.gather)}
