"""Pipelines as networkx graphs and as drawings in text.

A node stands once, however many jobs it has; the counts are given from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kwdag.pipeline import Wiring


def process_graph(wiring: Wiring) -> Any:
    """A networkx DiGraph of node names; each edge lists its connections under ``ports``."""
    import networkx as nx

    graph: Any = nx.DiGraph()
    graph.add_nodes_from(wiring.nodes)
    for edge in wiring.edges:
        ports = (
            graph.edges[edge.src_node, edge.dst_node]["ports"]
            if graph.has_edge(edge.src_node, edge.dst_node)
            else []
        )
        graph.add_edge(edge.src_node, edge.dst_node, ports=[*ports, f"{edge.src_port} -> {edge.dst_port}"])
    return graph


def io_graph(wiring: Wiring) -> Any:
    """A networkx DiGraph of nodes and their ports, the latter named `<node>.<port>`."""
    import networkx as nx

    graph: Any = nx.DiGraph()
    for node in wiring.nodes.values():
        graph.add_edges_from((f"{node.name}.{name}", node.name) for name in node.in_paths)
        graph.add_edges_from((node.name, f"{node.name}.{name}") for name in node.out_paths)
    graph.add_edges_from((edge.src, edge.dst) for edge in wiring.edges)
    return graph


def draw(wiring: Wiring, notes: Mapping[str, str] | None = None) -> str:
    """The nodes as a tree of text, each with its note behind it."""
    import networkx as nx

    whole = process_graph(wiring)
    reduced: Any = nx.transitive_reduction(whole)
    graph: Any = nx.DiGraph()
    graph.add_nodes_from(wiring.nodes)
    # networkx has the edges that remain in an order that differs from process to process
    graph.add_edges_from(edge for edge in whole.edges if reduced.has_edge(*edge))
    gathers = {(edge.src_node, edge.dst_node) for edge in wiring.edges if edge.gather}
    for name in wiring.nodes:
        marks = "scatters" if wiring.nodes[name].scatter else ""
        marks += " gathers" if any(dst == name for _, dst in gathers) else ""
        label = name + (f" ({marks.strip().replace(' ', ', ')})" if marks else "")
        graph.nodes[name]["label"] = f"{label}  {(notes or {}).get(name, '')}".rstrip()
    return "\n".join(nx.generate_network_text(graph, vertical_chains=True, sources=None))
