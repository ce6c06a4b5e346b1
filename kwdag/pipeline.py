"""A pipeline: nodes and the connections between their ports, checked and put in order.

What runs, and with which values, is plan.py's business; how a pipeline is named, pipeline_ref.py's.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kwdag.errors import PipelineError
from kwdag.node import ProcessNode
from kwdag.ports import Edge, Gather, Port

__all__ = ["Gather", "Pipeline", "Port", "ProcessNode", "Wiring"]


@dataclass(frozen=True, slots=True)
class Wiring:
    """A checked pipeline, as planning reads it.

    Attributes:
        nodes: by name, upstream first.
        sources: the one connection that feeds each connected port, by (node, port).
        edges: all connections, those into a node together.
        ancestors: names of all nodes upstream of each node.
    """

    nodes: dict[str, ProcessNode]
    edges: tuple[Edge, ...]
    sources: dict[tuple[str, str], Edge]
    ancestors: dict[str, frozenset[str]]

    def into(self, node: str) -> list[Edge]:
        """The connections into a node."""
        return [edge for edge in self.edges if edge.dst_node == node]

    def owner(self, key: str) -> tuple[str, str] | None:
        """Split `<node>.<param>`: the longest node name that prefixes the key owns it."""
        parts = key.split(".")
        for size in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:size])
            if name in self.nodes:
                return name, ".".join(parts[size:])
        return None


@dataclass(slots=True)
class Pipeline:
    """Nodes that were connected to each other.

    Args:
        nodes: a list of nodes, or a mapping of which only the values count.

    >>> a = ProcessNode(name="a", executable="a", out_paths={"dst": "a.txt"})
    >>> b = ProcessNode(name="b", executable="b", in_paths=["src"])
    >>> a.outputs["dst"].connect(b.inputs["src"])
    >>> list(Pipeline([b, a]).wiring().nodes)
    ['a', 'b']
    """

    node_list: tuple[ProcessNode, ...]
    doc: str | None = None
    proc_graph: Any = field(default=None, compare=False)
    io_graph: Any = field(default=None, compare=False)

    def __init__(self, nodes: Iterable[ProcessNode] | Mapping[str, ProcessNode], doc: str | None = None):
        self.node_list = tuple(nodes.values() if isinstance(nodes, Mapping) else nodes)
        self.doc = doc
        self.proc_graph = self.io_graph = None
        for node in self.node_list:
            if not isinstance(node, ProcessNode):
                raise PipelineError(f"a pipeline is made of ProcessNodes, not of {node!r}")

    @property
    def nodes(self) -> dict[str, ProcessNode]:
        """The nodes by name, in the order given."""
        return {node.name: node for node in self.node_list}

    node_dict = nodes

    def wiring(self) -> Wiring:
        """Check the pipeline and put it in order.

        Raises:
            PipelineError: two nodes of one name, a node that is connected but not in the pipeline, two
                sources for one input, an unknown port, a cycle.
        """
        nodes = self.nodes
        _check_names(self.node_list)
        edges = tuple(edge for node in self.node_list for edge in node.edges)
        for edge in edges:
            _check_edge(edge, nodes)
        order = _order(nodes, edges)
        return Wiring(
            nodes={name: nodes[name] for name in order},
            edges=edges,
            sources=_sources(edges),
            ancestors=_ancestors(order, edges),
        )

    def build_nx_graphs(self) -> None:
        """Fill ``proc_graph`` (nodes) and ``io_graph`` (nodes and ports) with networkx graphs."""
        from kwdag.draw import io_graph, process_graph

        wiring = self.wiring()
        self.proc_graph = process_graph(wiring)
        self.io_graph = io_graph(wiring)

    def print_graphs(self, **_options: Any) -> None:
        """Print the text drawing of the pipeline."""
        from kwdag.draw import draw

        print(draw(self.wiring()))


def _check_names(nodes: Iterable[ProcessNode]) -> None:
    seen: set[str] = set()
    for node in nodes:
        if node.name in seen:
            raise PipelineError(f"two nodes are named {node.name!r}")
        seen.add(node.name)


def _check_edge(edge: Edge, nodes: Mapping[str, ProcessNode]) -> None:
    for name in (edge.src_node, edge.dst_node):
        if name not in nodes:
            raise PipelineError(f"{edge}: node {name!r} is connected, but not in the pipeline")
    if edge.gather is not None and nodes[edge.src_node].scatter == edge.src_port:
        raise PipelineError(f"{edge}: the list of a scatter cannot be gathered")


def _sources(edges: Iterable[Edge]) -> dict[tuple[str, str], Edge]:
    sources: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        target = (edge.dst_node, edge.dst_port)
        if target in sources:
            raise PipelineError(f"{edge.dst} has two sources: {sources[target].src} and {edge.src}")
        sources[target] = edge
    return sources


def _order(nodes: Mapping[str, ProcessNode], edges: Iterable[Edge]) -> list[str]:
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter({name: () for name in nodes})
    for edge in edges:
        sorter.add(edge.dst_node, edge.src_node)
    try:
        return list(sorter.static_order())
    except graphlib.CycleError as error:
        cycle = " -> ".join(error.args[1])
        raise PipelineError(f"the pipeline has a cycle: {cycle}") from None


def _ancestors(order: Iterable[str], edges: Iterable[Edge]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for name in order:
        above = {edge.src_node for edge in edges if edge.dst_node == name}
        found[name] = frozenset(above.union(*(found[up] for up in above)))
    return found
