"""The pipeline as an inline picture: nodes in layers from left to right, with counts by state and durations.

Layout after Sugiyama: longest-path layers, long edges through empty places, order by barycentres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from kwdag.draw import process_graph
from kwdag.report.labels import clean, shortened

if TYPE_CHECKING:
    from kwdag.pipeline import Wiring

WIDTH, HEIGHT = 208, 74
_GAP_X, _GAP_Y, _MARGIN = 56, 22, 8
_THIN = 14
_STATES = ("done", "running", "pending", "blocked", "interrupted", "stale", "failed")


@dataclass(frozen=True, slots=True)
class Fact:
    """What is said of one node: jobs by state, a line about durations, an anchor of the page."""

    states: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    anchor: str | None = None


def picture(wiring: Wiring, facts: Mapping[str, Fact]) -> str:
    """SVG markup, all text escaped; classes give the colours."""
    layers = _ordered(_layers(process_graph(wiring)))
    places, size = _places(layers)
    graph = process_graph(wiring)
    edges = "".join(_edge(path, places, graph) for path in _paths(graph, layers))
    nodes = "".join(_node(name, places[name], facts.get(name, Fact())) for name in wiring.nodes)
    width, height = size
    label = f"Pipeline of {len(wiring.nodes)} nodes"
    return (
        f'<svg class="dag" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="group" '
        f'aria-label="{label}"><defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>{edges}{nodes}</svg>'
    )


# -- layout ----------------------------------------------------------------------------------------

_Place = str | tuple[str, str, int]  # a node, or where the edge (from, to) crosses a layer


def _layers(graph: Any) -> list[dict[_Place, list[_Place]]]:
    """For each layer its places, each with what leads to it from the layer before."""
    import networkx as nx

    level = {name: i for i, names in enumerate(nx.topological_generations(graph)) for name in names}
    layers: list[dict[_Place, list[_Place]]] = [{} for _ in range(max(level.values(), default=-1) + 1)]
    for name in graph:
        layers[level[name]][name] = []
    for source, target in graph.edges:
        before: _Place = source
        for i in range(level[source] + 1, level[target]):
            layers[i][(source, target, i)] = [before]
            before = (source, target, i)
        layers[level[target]][target].append(before)
    return layers


def _ordered(layers: Sequence[Mapping[_Place, list[_Place]]]) -> list[list[_Place]]:
    """Each layer sorted by the mean place of what leads to it, so that few edges cross."""
    ordered: list[list[_Place]] = []
    height: dict[_Place, float] = {}
    for layer in layers:
        names = sorted(layer, key=lambda one: _mean([height[up] for up in layer[one]]))
        height |= {name: (i + 0.5) / len(names) for i, name in enumerate(names)}
        ordered.append(names)
    return ordered


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.5


def _places(layers: Sequence[Sequence[_Place]]) -> tuple[dict[_Place, tuple[float, float]], tuple[int, int]]:
    """Left end and middle of each place in pixels, and the size of the picture."""
    heights = [sum(_tall(name) + _GAP_Y for name in names) - _GAP_Y for names in layers]
    tallest = max(heights, default=0)
    places: dict[_Place, tuple[float, float]] = {}
    for i, names in enumerate(layers):
        y = _MARGIN + (tallest - heights[i]) / 2
        for name in names:
            places[name] = (_MARGIN + i * (WIDTH + _GAP_X), y + _tall(name) / 2)
            y += _tall(name) + _GAP_Y
    width = len(layers) * (WIDTH + _GAP_X) - _GAP_X + 2 * _MARGIN
    return places, (max(width, 0), tallest + 2 * _MARGIN)


def _tall(name: _Place) -> int:
    return HEIGHT if isinstance(name, str) else _THIN


def _paths(graph: Any, layers: Sequence[Sequence[_Place]]) -> list[list[_Place]]:
    """Each edge as the places that it passes."""
    between: dict[tuple[str, str], list[_Place]] = {edge: [] for edge in graph.edges}
    for names in layers:
        for name in names:
            if not isinstance(name, str):
                between[name[:2]].append(name)
    return [[source, *inner, target] for (source, target), inner in between.items()]


# -- markup ----------------------------------------------------------------------------------------


def _edge(path: Sequence[_Place], places: Mapping[_Place, tuple[float, float]], graph: Any) -> str:
    x, y = places[path[0]]
    x += WIDTH
    data = f"M{x:g} {y:g}"
    for name in path[1:]:
        left, middle = places[name]
        half = (left - x) / 2
        data += f"C{x + half:g} {y:g} {left - half:g} {middle:g} {left:g} {middle:g}"
        x, y = left, middle
        if not isinstance(name, str):
            x += WIDTH
            data += f"H{x:g}"
    ports = ", ".join(graph.edges[path[0], path[-1]]["ports"])
    title = escape(clean(f"{path[0]} to {path[-1]}: {ports}"))
    return f'<path class="edge" marker-end="url(#arrow)" d="{data}"><title>{title}</title></path>'


def _node(name: str, place: tuple[float, float], fact: Fact) -> str:
    counts = [f"{n:,} {state}" for state, n in _by_state(fact.states)]
    title = escape(clean(f"{name}: {', '.join(counts) or 'no jobs'}. {fact.note}"))
    lines = (
        _text("name", 24, shortened(clean(name), 27)),
        _text("count", 43, shortened(" · ".join(counts) or "no jobs", 34)),
        _text("note", 58, shortened(clean(fact.note), 36)),
    )
    box = f'<rect class="box" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
    body = f"<title>{title}</title>{box}{''.join(lines)}{_bar(fact.states)}"
    x, y = place[0], place[1] - HEIGHT / 2
    group = f'<g class="node" transform="translate({x:g} {y:g})">{body}</g>'
    return f'<a href="#{escape(fact.anchor)}">{group}</a>' if fact.anchor else group


def _text(kind: str, y: int, text: str) -> str:
    return f'<text class="{kind}" x="12" y="{y}">{escape(text)}</text>'


def _bar(states: Mapping[str, int]) -> str:
    """The jobs by state as shares of a line along the lower edge."""
    total, x, parts = sum(states.values()), 12.0, []
    for state, n in _by_state(states):
        width = (WIDTH - 24) * n / total
        known = state if state in _STATES else "other"
        parts.append(f'<rect class="state-{known}" x="{x:.1f}" y="65" width="{width:.1f}" height="4"/>')
        x += width
    return "".join(parts)


def _by_state(states: Mapping[str, int]) -> list[tuple[str, int]]:
    order = {state: i for i, state in enumerate(_STATES)}
    return sorted(((s, n) for s, n in states.items() if n), key=lambda pair: (order.get(pair[0], 9), pair[0]))
