"""The rows of an evaluation: old names to new ones, special values to files, steps that are off left out.

Reads folders to find models and truth, writes nothing; what a row runs is kwdag's business.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from kwdag.node import ENABLED, SWITCHES
from kwdag.pipeline import Wiring
from kwdag.sources import neighbour
from pipelines.errors import BadInput
from pipelines.geowatch.aliases import TRUTH, UPSTREAM, new_name
from pipelines.geowatch.pipelines import joint_bas_sv_sc

Row = dict[str, Any]

#: Where the truth lies beside a dataset, as the seed's data folders have it.
TRUTH_FOLDERS = (".", "annotations", "..", "../annotations")
_TRUTH_PORTS = {"true_site_dpath": "site_models", "true_region_dpath": "region_models"}
_EVALUATIONS = ("bas_poly_eval", "sc_poly_eval")
#: Datasets of a row beside which its truth may lie, the first that is given counts.
_DATASETS = ("bas_pxl.test_dataset", "sc_crop.crop_src_fpath", "sc_pxl.test_dataset")


@dataclass(frozen=True, slots=True)
class Request:
    """What rows are rewritten for.

    Attributes:
        off: names of the nodes that are switched off.
        truth: `true_site_dpath` and `true_region_dpath`, as far as they were given.
        said: key in our names -> the user's own key and its place, for messages.
    """

    wiring: Wiring
    off: frozenset[str]
    truth: Mapping[str, str]
    said: Mapping[str, str] = field(default_factory=dict)


def rewrite(rows: Sequence[Row], where: Mapping[str, str], request: Request) -> list[Row]:
    """Rows of a params document with old names, as rows for kwdag; each once, in order.

    Args:
        where: key -> its place in the document, for messages.

    Raises:
        BadInput: an unknown or doubled name, no model behind a glob, truth that cannot be found.
    """
    names = new_names(where)
    found: dict[str, Row] = {}
    for row in rows:
        for one in _rewritten(_renamed(row, names, where), where, request):
            found.setdefault(json.dumps(one, sort_keys=True, default=str), one)
    return list(found.values())


def new_names(where: Mapping[str, str]) -> dict[str, str]:
    """Key of a document -> its name here; raises BadInput with its place for one that there is not."""
    nodes = joint_bas_sv_sc().nodes
    given = {key: key if key in SWITCHES else new_name(key, nodes, place) for key, place in where.items()}
    return given | dict(zip(SWITCHES, SWITCHES, strict=True))


def sayings(where: Mapping[str, str]) -> dict[str, str]:
    """Name here -> the user's own key and its place: `params.yaml, line 3: trk.pxl.model`."""
    return {name: f"{where[key]}: {key}" for key, name in new_names(where).items() if key in where}


def check_files(rows: Sequence[Row], request: Request) -> None:
    """Raise BadInput for the first file that a row names for a step that is on, and that is not there.

    kwdag looks as well, but knows only its own names of parameters.
    """
    for row in rows:
        for key, value in row.items():
            if _is_read(key, row, request):
                _check_there(value, request.said.get(key, f"--{key.partition('.')[2]}"))


def _is_read(key: str, row: Row, request: Request) -> bool:
    name, _, param = key.partition(".")
    node = request.wiring.nodes.get(name)
    is_on = name not in request.off and str(row.get(f"{name}.{ENABLED}", 1)) not in ("0", "False")
    return node is not None and is_on and param in node.in_paths


def _check_there(value: Any, where: str) -> None:
    for path in value if isinstance(value, list) else [value]:
        if isinstance(path, str) and "://" not in path and not (file := Path(path).expanduser()).exists():
            raise BadInput(f"no such file or folder: {path!r}", where=where, hint=neighbour(file))


def _renamed(row: Row, names: Mapping[str, str], where: Mapping[str, str]) -> Row:
    found: Row = {}
    for key, value in row.items():
        if names[key] in found:
            other = next(old for old in row if names[old] == names[key])
            message = f"{other!r} and {key!r} are the same parameter, {names[key]!r}"
            raise BadInput(message, where=where.get(key), hint="give it once")
        found[names[key]] = value
    return found


def _rewritten(row: Row, where: Mapping[str, str], request: Request) -> Iterator[Row]:
    row = _upstream_by_connection(row)
    row = _with_truth(_without_ignored(row, request), row, request)
    models = [key for key in row if key.endswith(".package_fpath")]
    for paths in product(*(_models(row[key], request.said.get(key, key)) for key in models)):
        yield {
            **row,
            **dict(zip(models, paths, strict=True)),
            **{f"{node}.{ENABLED}": 0 for node in sorted(request.off & request.wiring.nodes.keys())},
        }


def _upstream_by_connection(row: Row) -> Row:
    """The row without values that name what a connection brings anyway."""
    return {
        key: value
        for key, value in row.items()
        if not (isinstance(value, str) and value in UPSTREAM.get(key.partition(".")[2], ()))
    }


def _without_ignored(row: Row, request: Request) -> Row:
    """The row without parameters of steps that are off, unless a step that is on reads what those made."""
    needed = set(request.wiring.nodes) - request.off
    todo = list(needed)
    while todo:
        node = request.wiring.nodes[todo.pop()]
        for edge in request.wiring.into(node.name):
            by_hand = edge.dst in row or edge.dst_port in node.optional
            if not by_hand and edge.src_kind == "output" and edge.src_node not in needed:
                needed.add(edge.src_node)
                todo.append(edge.src_node)
    return {key: value for key, value in row.items() if key in SWITCHES or key.partition(".")[0] in needed}


def _with_truth(row: Row, given: Row, request: Request) -> Row:
    """The row with the truth for the evaluations that are on, and in place of the word `truth`.

    Args:
        given: the row with the parameters of steps that are off, which may tell where the truth is.
    """
    row = dict(row)
    for node in _EVALUATIONS:
        if node in request.wiring.nodes and node not in request.off:
            for port in _TRUTH_PORTS:
                row.setdefault(f"{node}.{port}", _truth(port, given, request))
    for key in [key for key, value in row.items() if value == TRUTH]:
        row[key] = _truth("true_region_dpath", given, request)
    # Phases are told within the sites that were cropped.
    regions = row.get("sc_crop.regions")
    if regions is not None and "sc_poly" not in request.off:
        row.setdefault("sc_poly.site_summary", regions)
    # Both crops read the same images.
    if "sv_crop" in request.wiring.nodes and "sc_crop.crop_src_fpath" in row:
        row.setdefault("sv_crop.crop_src_fpath", row["sc_crop.crop_src_fpath"])
    return row


def _truth(port: str, row: Row, request: Request) -> str:
    given = [row.get(f"{node}.{port}") for node in _EVALUATIONS] + [request.truth.get(port)]
    for path in filter(None, given):
        return str(path)
    datasets = [str(row[key]) for key in _DATASETS if key in row]
    for dataset in datasets:
        for folder in TRUTH_FOLDERS:
            path = Path(dataset).parent / folder / _TRUTH_PORTS[port]
            if path.is_dir():
                return str(path)
    for key in _DATASETS:
        _check_there(row.get(key), request.said.get(key, key))
    beside = f" beside {datasets[0]!r}" if datasets else ""
    raise BadInput(f"no folder {_TRUTH_PORTS[port]!r}{beside}", where=f"--{port}", hint=f"give --{port}")


def _models(value: Any, where: str) -> list[Any]:
    """The model files that a value stands for: itself, a glob, or a `.txt` list of paths, one a line."""
    if not isinstance(value, str) or "://" in value:
        return [value]
    path = Path(value).expanduser()
    if path.suffix == ".txt":
        return _listed(path, where)
    if path.exists() or not glob.has_magic(str(path)):
        return [value]
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
    if not found:
        raise BadInput(f"no model matches {value!r}", where=where)
    return found


def _listed(path: Path, where: str) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        message = f"list of models {str(path)!r} cannot be read ({error.strerror})"
        raise BadInput(message, where=where, hint=neighbour(path)) from None
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not names:
        raise BadInput(f"list of models {str(path)!r} is empty", where=where)
    return [str(path.parent / Path(name).expanduser()) for name in names]
