"""Ports and connections: what a node takes and gives, and how values travel between nodes.

What a node is otherwise, node.py says; that connections make sense together, pipeline.py checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.errors import PipelineError, did_you_mean

if TYPE_CHECKING:
    from kwdag.node import ProcessNode


@dataclass(frozen=True, slots=True)
class Gather:
    """How the outputs of many upstream jobs come together in one downstream job.

    Attributes:
        group_by: pairs of the key on the upstream and on the downstream side. A key is a parameter of the
            node, `<node>.<param>` of any node of the row, or the name of a node (its job in the row).
        order_by: upstream keys that order the members; by default they are ordered by job id. The name of a
            node orders by the id of its job: then gathers from several nodes have the same order.
    """

    group_by: tuple[tuple[str, str], ...] = ()
    order_by: tuple[str, ...] = ()

    @classmethod
    def coerce(cls, spec: Gather | Mapping[str, Any] | Iterable[Any] | bool) -> Gather:
        """Read `{group_by: [...], order_by: [...]}`; raises PipelineError on any other key or shape."""
        if isinstance(spec, Gather):
            return spec
        if spec is True:
            return cls()
        if not isinstance(spec, Mapping):
            raise PipelineError(f"gather must be a mapping with group_by and order_by, not {spec!r}")
        for key in spec:
            if key not in ("group_by", "order_by", "require"):
                raise PipelineError(
                    f"unknown key {key!r} in gather", hint=did_you_mean(str(key), ["group_by", "order_by"])
                )
        if spec.get("require", "all_success") != "all_success":
            raise PipelineError(
                f"gather: require is always 'all_success', not {spec['require']!r}",
                hint="a node declares `partial_gather: true` to go on without failed members",
            )
        group_by, order_by = (as_list(spec.get(key), f"gather: {key}") for key in ("group_by", "order_by"))
        return cls(tuple(map(_group_key, group_by)), tuple(map(str, order_by)))

    def to_spec(self) -> dict[str, Any]:
        """The mapping that ``coerce`` reads."""
        group_by = [s if s == d else {"src": s, "dst": d} for s, d in self.group_by]
        spec: dict[str, Any] = {"group_by": group_by}
        if self.order_by:
            spec["order_by"] = list(self.order_by)
        return spec


def as_list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise PipelineError(f"{what} must be a list, not {value!r}")
    return list(value)


def _group_key(key: Any) -> tuple[str, str]:
    if isinstance(key, str):
        return key, key
    if isinstance(key, Mapping) and set(key) == {"src", "dst"}:
        return str(key["src"]), str(key["dst"])
    raise PipelineError(f"a group_by key is a name or {{src: ..., dst: ...}}, not {key!r}")


@dataclass(frozen=True, slots=True)
class Edge:
    """One connection: a value travels from a port of one node to a port of another."""

    src_node: str
    src_kind: str  # "output", "input" or "param"
    src_port: str
    dst_node: str
    dst_port: str
    gather: Gather | None = None

    @property
    def src(self) -> str:
        return f"{self.src_node}.{self.src_port}"

    @property
    def dst(self) -> str:
        return f"{self.dst_node}.{self.dst_port}"

    def __str__(self) -> str:
        return f"{self.src} -> {self.dst}"


class Port:
    """One input, output or parameter of a node, as an end of a connection."""

    def __init__(self, node: ProcessNode, kind: str, name: str):
        self.node = node
        self.kind = kind
        self.name = name

    def connect(self, *others: Port, gather: Gather | Mapping[str, Any] | bool | None = None) -> None:
        """Send this port's value to other ports.

        An output feeds inputs (or parameters); an input or a parameter shares its value. With ``gather``
        the outputs of many jobs reach one job through a manifest file.

        Raises:
            PipelineError: when a value cannot travel that way.
        """
        for other in others:
            if other.kind == "output" or (self.kind == "param" and other.kind != "param"):
                raise PipelineError(f"cannot connect {self.kind} {self} to {other.kind} {other}")
            if gather is not None and self.kind != "output":
                raise PipelineError(f"only an output can be gathered, {self} is an {self.kind}")
            spec = None if gather is None or gather is False else Gather.coerce(gather)
            self.node.edges.append(
                Edge(self.node.name, self.kind, self.name, other.node.name, other.name, spec)
            )

    def __str__(self) -> str:
        return f"{self.node.name}.{self.name}"


class Ports(dict[str, Port]):
    """The ports of one kind of a node; asking for one that is not declared names the nearest."""

    def __init__(self, node: ProcessNode, kind: str, names: Iterable[str]):
        super().__init__({name: Port(node, kind, name) for name in names})
        self._where = node.name
        self._kind = kind

    def __missing__(self, name: str) -> Port:
        raise PipelineError(
            f"node {self._where!r} has no {self._kind} {name!r}", hint=did_you_mean(name, self)
        )
