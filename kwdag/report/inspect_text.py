"""What `kwdag inspect` says of a pipeline: drawing, ports and parameters, a params template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kwdag.draw import draw
from kwdag.node import REQUIRED, ProcessNode
from kwdag.pipeline import Pipeline, Wiring
from kwdag.render import token

_KINDS = (("input", "in_paths"), ("output", "out_paths"), ("algo", "algo_params"), ("perf", "perf_params"))


def lines(pipeline: Pipeline, reference: str) -> Iterator[str]:
    """The report for people."""
    wiring = pipeline.wiring()
    if pipeline.doc:
        yield from (str(pipeline.doc).strip(), "")
    yield draw(wiring)
    rows = [row for node in wiring.nodes.values() for row in _ports(wiring, node)]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for node in wiring.nodes.values():
        yield from ("", f"{node.name}   {node.executable or node.command_template or ''}".rstrip())
        for kind, name, value in _ports(wiring, node):
            yield f"    {kind:<{widths[0]}}  {name:<{widths[1]}}  {value}".rstrip()
    yield from ("", "# a params document to start from", *template(wiring, reference))


def _ports(wiring: Wiring, node: ProcessNode) -> Iterator[tuple[str, str, str]]:
    for kind, field in _KINDS:
        for name, default in getattr(node, field).items():
            yield kind, name, _describe(wiring, node, name, default)


def _describe(wiring: Wiring, node: ProcessNode, name: str, default: Any) -> str:
    edge = wiring.sources.get((node.name, name))
    notes = []
    if edge is not None:
        notes.append(f"from {edge.src}" + (" (gathered)" if edge.gather else ""))
    elif default is not REQUIRED:
        notes.append(str(token(default)) if name in node.out_paths else f"= {token(default)}")
    elif name in node.in_paths:
        notes.append("optional" if name in node.optional else "required")
    if name in node.tags:
        notes.append(f"[{node.tags[name]}]")
    return " ".join(notes)


def template(wiring: Wiring, reference: str) -> Iterator[str]:
    """A params document that gives every input that must be given, and every default."""
    import json

    yield f"pipeline: {json.dumps(reference)}"
    yield "matrix:"
    for node in wiring.nodes.values():
        for field in ("in_paths", "algo_params", "perf_params"):
            for name, default in getattr(node, field).items():
                if (node.name, name) not in wiring.sources:
                    value = "FILL_IN" if default is REQUIRED else json.dumps(default, default=str)
                    yield f"    {node.name}.{name}: [{value}]"


def as_json(pipeline: Pipeline) -> dict[str, Any]:
    """The report for programs."""
    from kwdag.yaml_pipeline import to_spec

    wiring = pipeline.wiring()
    return {"order": list(wiring.nodes), "pipeline": to_spec(pipeline)}
