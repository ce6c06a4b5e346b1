"""A node: one program of a pipeline with its declared inputs, outputs and parameters.

Declarations only: resolving a configuration is plan.py's business, running it the backends'.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kwdag.errors import PipelineError, did_you_mean
from kwdag.ports import Edge, Ports, as_list
from kwdag.units import count, memory, seconds

#: In a params document `<node>.<one of these>` is a switch for the scheduler, never a parameter.
ENABLED = "__enabled__"
SLURM_OPTIONS = "__slurm_options__"
SWITCHES = (ENABLED, SLURM_OPTIONS)

TAGS = ("dataset", "model", "volatile")
FLAG_STYLES = ("--key=value", "--key value", "-key value", "key=value")
RESOURCES = {"cpus": count, "mem": memory, "gpus": count, "time": seconds}

#: What a declaration of a node may hold, in Python (class attribute or argument) and in YAML alike.
FIELDS: dict[str, Any] = {
    "executable": None,
    "command_template": None,
    "flag_style": "--key=value",
    "flags": (),
    "in_paths": (),
    "out_paths": (),
    "primary_out_key": None,
    "algo_params": (),
    "perf_params": (),
    "optional": (),
    "tags": (),
    "neutral": (),
    "renamed": (),
    "extra_params": False,
    "scatter": None,
    "partial_gather": False,
    "metrics": (),
    "vantage_points": (),
    "result": (),
    "resources": (),
    "slurm_options": (),
    "setup": (),
    "teardown": (),
    "group": None,
}

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")


class _Required:
    """Stands where a default would: the parameter or input has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


class ProcessNode:
    """One program of a pipeline.

    Declare one by class attributes or by arguments of the same names:

        name: unique in its pipeline; letters, digits, `_`, `-`, `+` and `.`.
        executable: the start of the command line, in bash.
        in_paths: names of input paths; a mapping gives defaults. Required unless in ``optional``.
        out_paths: name -> file name inside the job directory. Passed to the program as absolute paths.
        primary_out_key: the output that holds the result (by default the first one).
        algo_params: parameters that change the result (hashed); a mapping gives defaults.
        perf_params: parameters that change only how fast it comes (not hashed).
        tags: port or parameter -> `dataset`, `model` or `volatile` (recorded, not hashed).
        neutral: parameter -> value at which it does not enter the hash.
        renamed: old -> new name of a parameter; hashes as under its old name.
        extra_params: accept parameters that are not declared.
        command_template: a command line with `{port}` placeholders, `{flags}` for all others.
        flag_style: `--key=value` (default), `--key value`, `-key value` or `key=value`.
        flags: parameters whose True is a bare flag and whose False is left out.
        scatter: the output that lists the branches of downstream jobs.
        partial_gather: go on without gather members that failed.
        metrics: list of `{metric, objective, primary, display, aggregator, type, range, required}`.
        vantage_points: list of `{metric1, metric2}`.
        result: `{info: dotted path, metrics: dotted path}` inside the primary output's JSON.
        resources: `cpus`, `mem` (such as `4G`), `gpus`, `time` (such as `2h`).
        slurm_options: options for sbatch. setup, teardown: bash before and after the command.

    >>> node = ProcessNode(
    ...     name="predict",
    ...     executable="python predict.py",
    ...     in_paths={"src"},
    ...     out_paths={"dst": "pred.json"},
    ...     algo_params={"thresh": 0.5},
    ... )
    >>> sorted(node.inputs), sorted(node.outputs), node.primary_out_key
    (['src'], ['dst'], 'dst')
    """

    name: str = ""
    executable: Any = None
    command_template: Any = None
    flag_style: str = "--key=value"
    flags: Any = ()
    in_paths: Any = ()
    out_paths: Any = ()
    primary_out_key: str | None = None
    algo_params: Any = ()
    perf_params: Any = ()
    optional: Any = ()
    tags: Any = ()
    neutral: Any = ()
    renamed: Any = ()
    extra_params: bool = False
    scatter: str | None = None
    partial_gather: bool = False
    metrics: Any = ()
    vantage_points: Any = ()
    result: Any = ()
    resources: Any = ()
    slurm_options: Any = ()
    setup: Any = ()
    teardown: Any = ()
    group: Any = None

    def __init__(self, **fields: Any):
        given = {k: v for k, v in fields.items() if v is not None}
        self.name = str(given.pop("name", None) or self.name or type(self).__name__)
        self._load_result_ref = given.pop("load_result", None)
        if "command" in given:  # kwdagger's other name for it
            given.setdefault("executable", given.pop("command"))
        for key, value in given.items():
            if key not in FIELDS:
                raise PipelineError(
                    f"unknown key {key!r} in node {self.name!r}", hint=did_you_mean(key, FIELDS)
                )
            setattr(self, key, value)
        self.edges: list[Edge] = []
        self._normalise()
        self._check()
        self.inputs = Ports(self, "input", self.in_paths)
        self.outputs = Ports(self, "output", self.out_paths)
        self.params = Ports(self, "param", [*self.algo_params, *self.perf_params])

    def _normalise(self) -> None:
        self.in_paths = _with_defaults(self, "in_paths")
        self.algo_params = _with_defaults(self, "algo_params")
        self.perf_params = _with_defaults(self, "perf_params")
        for key in ("out_paths", "tags", "neutral", "renamed", "result", "resources", "slurm_options"):
            setattr(self, key, _mapping(self, key))
        self.optional = frozenset(_words(self, "optional"))
        self.flags = frozenset(_words(self, "flags"))
        self.setup = tuple(_words(self, "setup"))
        self.teardown = tuple(_words(self, "teardown"))
        self.metrics = [
            _metric(self, entry) for entry in as_list(self.metrics, f"metrics of node {self.name!r}")
        ]
        self.vantage_points = as_list(self.vantage_points, f"vantage_points of node {self.name!r}")
        self.executable = None if self.executable is None else str(self.executable).strip()
        if self.primary_out_key is None and self.out_paths:
            self.primary_out_key = next(iter(self.out_paths))

    def _check(self) -> None:
        if not _NAME.match(self.name):
            raise PipelineError(f"node name {self.name!r} is not made of letters, digits, '_', '-', '+', '.'")
        if not self.executable and not self.command_template and not overrides_command(self):
            raise PipelineError(f"node {self.name!r} has no executable")
        for key, path in self.out_paths.items():
            _check_out_path(self, key, path)
        known = [*self.in_paths, *self.out_paths, *self.algo_params, *self.perf_params]
        for name in known:
            if known.count(name) > 1:
                raise PipelineError(f"node {self.name!r} declares {name!r} twice")
        self._check_references(known)

    def _check_references(self, known: list[str]) -> None:
        own = self.name
        for field in ("optional", "tags", "flags", "neutral"):
            for name in getattr(self, field):
                if name not in known and not self.extra_params:
                    raise PipelineError(
                        f"{field} of node {own!r} names {name!r}, which it does not declare",
                        hint=did_you_mean(name, known),
                    )
        for name in self.renamed.values():
            _known(f"renamed of node {own!r}", name, known)
        for name, tag in self.tags.items():
            _known(f"tag of {own}.{name}", tag, TAGS)
        for key, value in self.resources.items():
            _known(f"resources of node {own!r}", key, RESOURCES)
            try:
                RESOURCES[key](value)
            except ValueError as error:
                raise PipelineError(f"resources of node {own!r}: {key} is {error}") from None
        _known(f"flag_style of node {own!r}", self.flag_style, FLAG_STYLES)
        for field in ("primary_out_key", "scatter"):
            if getattr(self, field) is not None:
                _known(f"{field} of node {own!r}", getattr(self, field), self.out_paths)

    def connect(
        self,
        *others: ProcessNode,
        src_map: Mapping[str, str] | None = None,
        dst_map: Mapping[str, str] | None = None,
    ) -> None:
        """Connect every output to the inputs of the same name; the maps rename either side first."""
        for other in others:
            into = {(dst_map or {}).get(name, name): port for name, port in other.inputs.items()}
            for name, port in self.outputs.items():
                target = into.get((src_map or {}).get(name, name))
                if target is not None:
                    port.connect(target)

    @property
    def accepted(self) -> list[str]:
        """The names that a matrix may give: inputs and parameters, old names of the latter included."""
        return [*self.in_paths, *self.algo_params, *self.perf_params, *self.renamed]

    def accepts(self, name: str) -> bool:
        """Whether a matrix may give a name."""
        return self.extra_params or name in self.accepted

    def default(self, name: str) -> Any:
        """The declared default of an input or parameter, REQUIRED without one."""
        for declared in (self.in_paths, self.algo_params, self.perf_params):
            if name in declared:
                return declared[name]
        return REQUIRED

    @property
    def has_hooks(self) -> bool:
        """Whether code of the user's judges the results of this node."""
        cls = type(self)
        hooks = ("load_result", "default_metrics")
        return self._load_result_ref is not None or any(
            getattr(cls, hook) is not getattr(ProcessNode, hook) for hook in hooks
        )

    def command(self) -> str | None:
        """The command line in bash; override it for a program that no declaration describes.

        An override finds the job's values in ``self.final_config`` (all of them), ``final_in_paths``,
        ``final_out_paths``, ``final_algo_config``, ``final_perf_config`` and ``final_node_dpath``.
        """
        return self.executable

    def refuse(self, name: str, value: str) -> str | None:
        """What is wrong with a given value of an input or a parameter; None where nothing is.

        Override it for what no declaration says, such as `has a password, which job directories would show`:
        it is asked while jobs are planned, before anything is written, and what it says goes on from the key.
        """
        return None

    def load_result(self, node_dpath: Path) -> Mapping[str, Any]:
        """The flat result of a done job: `metrics.<node>.<name>` and what else is known.

        The default reads the primary output's JSON, its `result.metrics` or `metrics`.
        """
        from kwdag.loading import load_result

        return load_result(self, Path(node_dpath))

    def default_metrics(self) -> list[dict[str, Any]]:
        """What the metrics mean: `{metric, objective, primary, display, aggregator}` each."""
        return [dict(metric) for metric in self.metrics]

    @property
    def default_vantage_points(self) -> list[dict[str, Any]]:
        """Pairs of metrics worth a scatter plot: `{metric1, metric2}` each."""
        return [dict(point) for point in self.vantage_points]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def overrides_command(node: ProcessNode) -> bool:
    return type(node).command is not ProcessNode.command


def overrides_refuse(node: ProcessNode) -> bool:
    return type(node).refuse is not ProcessNode.refuse


def _known(what: str, name: Any, names: Iterable[str]) -> None:
    names = list(names)
    if name not in names:
        raise PipelineError(f"{what} is {name!r}", hint=did_you_mean(str(name), names))


def _with_defaults(node: ProcessNode, field: str) -> dict[str, Any]:
    """Name -> default. A set has no order of its own, so that its names are sorted."""
    value = getattr(node, field)
    if isinstance(value, Mapping):
        return {str(name): default for name, default in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise PipelineError(f"{field} of node {node.name!r} must be a list or a mapping, not {value!r}")
    names = sorted(value) if isinstance(value, set | frozenset) else value
    return {str(name): REQUIRED for name in names}


def _mapping(node: ProcessNode, field: str) -> dict[str, Any]:
    value = getattr(node, field) or {}
    if not isinstance(value, Mapping):
        raise PipelineError(f"{field} of node {node.name!r} must be a mapping, not {value!r}")
    return {str(key): item for key, item in value.items()}


def _words(node: ProcessNode, field: str) -> list[str]:
    value = getattr(node, field) or ()
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise PipelineError(f"{field} of node {node.name!r} must be a list of names, not {value!r}")
    return sorted(value) if isinstance(value, set | frozenset) else [str(item) for item in value]


_METRIC_KEYS = ("metric", "objective", "primary", "display", "aggregator", "type", "range", "required")
_METRIC_TYPES = ("float", "int", "bool", "str")


def _metric(node: ProcessNode, entry: Any) -> dict[str, Any]:
    where = f"metrics of node {node.name!r}"
    if isinstance(entry, str):
        entry = {"metric": entry}
    if not isinstance(entry, Mapping) or not isinstance(entry.get("metric"), str):
        raise PipelineError(f"{where}: an entry is a mapping with the key 'metric', not {entry!r}")
    for key in entry:
        if key not in _METRIC_KEYS:
            raise PipelineError(f"{where}: unknown key {key!r}", hint=did_you_mean(str(key), _METRIC_KEYS))
    _known(f"{where}: objective", entry.get("objective", "maximize"), ("maximize", "minimize"))
    _known(f"{where}: type", entry.get("type", "float"), _METRIC_TYPES)
    span = entry.get("range")
    if span is not None and not (isinstance(span, list | tuple) and len(span) == 2):
        raise PipelineError(f"{where}: range of {entry['metric']!r} is [lowest, highest], not {span!r}")
    return dict(entry)


def _check_out_path(node: ProcessNode, key: str, path: Any) -> None:
    where = f"output {key!r} of node {node.name!r}"
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise PipelineError(f"{where} must be a file name, not {path!r}")
    inside = os.path.normpath(os.fspath(path))
    if os.path.isabs(inside) or inside.split(os.sep)[0] == "..":
        raise PipelineError(f"{where} escapes the job directory: {path!r}")
    from kwdag.jobdir import BOOKKEEPING

    if inside.split(os.sep)[0] in BOOKKEEPING:
        raise PipelineError(f"{where} would overwrite the job's own {inside!r}", hint="choose another name")
    node.out_paths[key] = os.fspath(path)
