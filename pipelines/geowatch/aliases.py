"""The names that the seed's releases gave to nodes and parameters, and the ones they have here.

Only names; what a value may say is decided in evaluation_rows.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from kwdag import ProcessNode
from kwdag.errors import did_you_mean
from kwdag.node import SWITCHES
from pipelines.errors import BadInput

#: An old namespace held a program and what evaluates and draws it: a name belongs to the first that takes it.
NAMESPACES = {
    "trk.pxl.data": ("bas_pxl", "bas_pxl_eval"),
    "trk.pxl": ("bas_pxl", "bas_pxl_eval"),
    "trk.poly": ("bas_poly", "bas_poly_eval", "bas_poly_viz"),
    "crop": ("sc_crop",),
    "act.pxl.data": ("sc_pxl", "sc_pxl_eval"),
    "act.pxl": ("sc_pxl", "sc_pxl_eval"),
    "act.poly": ("sc_poly", "sc_poly_eval", "sc_poly_viz"),
}

#: Old name of a parameter -> its name here, whatever the node.
PARAMETERS = {
    "model": "package_fpath",
    "src": "crop_src_fpath",
    "window_scale_space": "window_space_scale",
    "input_scale_space": "input_space_scale",
    "output_scale_space": "output_space_scale",
}

#: Values that name an output of another node: the connection brings it.
UPSTREAM = {
    "regions": ("trk.poly.output", "bas_poly.output", "bas_poly.site_summaries_fpath", "sv_filter.output"),
    "site_summary": ("trk.poly.output", "bas_poly.output", "bas_poly.site_summaries_fpath"),
    "test_dataset": ("crop.dst", "crop.output", "sc_crop.output", "sc_crop.crop_dst_fpath"),
}

#: The value that stands for the true region models.
TRUTH = "truth"

#: Flag of `schedule_evaluation` -> the nodes that it switches.
FLAGS = {
    "enable_pred_trk_pxl": ("bas_pxl",),
    "enable_pred_trk_poly": ("bas_poly",),
    "enable_eval_trk_pxl": ("bas_pxl_eval",),
    "enable_eval_trk_poly": ("bas_poly_eval",),
    "enable_viz_pred_trk_poly": ("bas_poly_viz",),
    "enable_sv": ("sv_crop", "sv_score", "sv_filter"),
    "enable_crop": ("sc_crop",),
    "enable_pred_act_pxl": ("sc_pxl",),
    "enable_pred_act_poly": ("sc_poly",),
    "enable_eval_act_pxl": ("sc_pxl_eval",),
    "enable_eval_act_poly": ("sc_poly_eval",),
    "enable_viz_pred_act_poly": ("sc_poly_viz",),
}


def new_name(key: str, nodes: Mapping[str, ProcessNode], where: str | None = None) -> str:
    """`<node>.<param>` as it is called here; a name that is valid here already stays as it is.

    Args:
        nodes: every node that there is, by name.
        where: the place of the key, for the message.

    Raises:
        BadInput: there is no such node or parameter; with the nearest name.

    >>> from pipelines.geowatch.pipelines import joint_bas_sc
    >>> new_name("trk.pxl.data.input_scale_space", joint_bas_sc().nodes)
    'bas_pxl.input_space_scale'
    """
    for space in sorted(NAMESPACES, key=len, reverse=True):
        if key.startswith(f"{space}."):
            return _within(space, key.removeprefix(f"{space}."), key, nodes, where)
    node, _, param = key.partition(".")
    if node not in nodes:
        known = [*_old_names(nodes), *(f"{name}.{param}" for name in nodes)]
        raise BadInput(f"no node in key {key!r}", where=where, hint=did_you_mean(key, known))
    param = param if nodes[node].accepts(param) else PARAMETERS.get(param, param)
    if not nodes[node].accepts(param) and param not in SWITCHES:
        hint = did_you_mean(param, nodes[node].accepted)
        raise BadInput(f"no parameter {param!r} in node {node!r}", where=where, hint=hint)
    return f"{node}.{param}"


def _within(space: str, param: str, key: str, nodes: Mapping[str, ProcessNode], where: str | None) -> str:
    name = PARAMETERS.get(param, param)
    takers = [node for node in NAMESPACES[space] if nodes[node].accepts(name) or name in SWITCHES]
    if takers:
        return f"{takers[0]}.{name}"
    known = [old for old in _old_names(nodes) if old.startswith(f"{space}.")]
    raise BadInput(f"no parameter {key!r}", where=where, hint=did_you_mean(key, known))


def _old_names(nodes: Mapping[str, ProcessNode]) -> list[str]:
    old = {new: name for name, new in PARAMETERS.items()}
    return [
        f"{space}.{old.get(param, param)}"
        for space, names in NAMESPACES.items()
        for node in names
        for param in nodes[node].accepted
    ]
