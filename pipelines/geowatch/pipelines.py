"""The named pipelines of GeoWATCH: which nodes, and what of one feeds the other.

A params document names one as `pipelines.geowatch.joint_bas_sc()`, or `joint_bas_sc(gpus=1)` where each job
of a model is to get a GPU; what the nodes are says nodes.py.
"""

from __future__ import annotations

from kwdag import Pipeline, ProcessNode
from kwdag.ports import Port
from pipelines.geowatch import nodes

_BAS = (nodes.BasPxl, nodes.BasPxlEval, nodes.BasPoly, nodes.BasPolyEval, nodes.BasPolyViz)
_SC = (nodes.ScPxl, nodes.ScPxlEval, nodes.ScPoly, nodes.ScPolyEval, nodes.ScPolyViz)
_SV = (nodes.SvCrop, nodes.SvScore, nodes.SvFilter)

#: What feeds what, where both nodes are in a pipeline. Of two lines that feed one port the later stands.
CONNECTIONS = (
    ("fit.dst", "bas_pxl.package_fpath"),
    ("bas_pxl.test_dataset", "bas_pxl_eval.true_dataset"),
    ("bas_pxl.pred_pxl_fpath", "bas_pxl_eval.pred_pxl_fpath"),
    ("bas_pxl.pred_pxl_fpath", "bas_poly.pred_pxl_fpath"),
    ("bas_poly.sites_fpath", "bas_poly_eval.sites_fpath"),
    ("bas_poly.poly_kwcoco_fpath", "bas_poly_viz.poly_kwcoco_fpath"),
    ("bas_poly.site_summaries_fpath", "sc_crop.regions"),
    ("bas_poly.site_summaries_fpath", "sc_poly.site_summary"),
    ("bas_poly.site_summaries_fpath", "sv_crop.regions"),
    ("sv_crop.crop_src_fpath", "sc_crop.crop_src_fpath"),
    ("sv_crop.crop_dst_fpath", "sv_score.crop_fpath"),
    ("bas_poly.site_summaries_fpath", "sv_score.regions"),
    ("bas_poly.site_summaries_fpath", "sv_filter.regions"),
    ("bas_poly.sites_fpath", "sv_filter.sites"),
    ("sv_score.scores_fpath", "sv_filter.scores_fpath"),
    ("sv_filter.out_site_summaries", "sc_crop.regions"),
    ("sv_filter.out_site_summaries", "sc_poly.site_summary"),
    ("sc_crop.crop_dst_fpath", "sc_pxl.test_dataset"),
    ("sc_pxl.test_dataset", "sc_pxl_eval.true_dataset"),
    ("sc_pxl.pred_pxl_fpath", "sc_pxl_eval.pred_pxl_fpath"),
    ("sc_pxl.pred_pxl_fpath", "sc_poly.pred_pxl_fpath"),
    ("sc_poly.sites_fpath", "sc_poly_eval.sites_fpath"),
    ("sc_poly.poly_kwcoco_fpath", "sc_poly_viz.poly_kwcoco_fpath"),
    ("bas_poly_eval.true_site_dpath", "sc_poly_eval.true_site_dpath"),
    ("bas_poly_eval.true_region_dpath", "sc_poly_eval.true_region_dpath"),
)


def bas(gpus: int = 0) -> Pipeline:
    """Broad area search: heatmaps, sites, both evaluated, pictures."""
    return _connected(*_BAS, gpus=gpus)


def sc(gpus: int = 0) -> Pipeline:
    """Site characterisation on crops that exist."""
    return _connected(*_SC, gpus=gpus)


def crop_sc(gpus: int = 0) -> Pipeline:
    """Site characterisation on crops around given sites."""
    return _connected(nodes.ScCrop, *_SC, gpus=gpus)


def joint_bas_sc(gpus: int = 0) -> Pipeline:
    """Sites from BAS, crops around them, SC on the crops."""
    return _connected(*_BAS, nodes.ScCrop, *_SC, gpus=gpus)


def joint_bas_sc_nocrop(gpus: int = 0) -> Pipeline:
    """Sites from BAS, SC within them on whole images."""
    return _connected(*_BAS, *_SC, gpus=gpus)


def joint_bas_sv_sc(gpus: int = 0) -> Pipeline:
    """Like `joint_bas_sc`, with only those sites that both ends of their period confirm."""
    return _connected(*_BAS, *_SV, nodes.ScCrop, *_SC, gpus=gpus)


def train(gpus: int = 0) -> Pipeline:
    """Training alone: a grid of hyper-parameters, ranked by what the validation says."""
    return _connected(nodes.Fit, gpus=gpus)


def train_bas(gpus: int = 0) -> Pipeline:
    """Training, and BAS with each model."""
    return _connected(nodes.Fit, *_BAS, gpus=gpus)


#: The pipelines that schedule_evaluation takes by name.
NAMED = {
    function.__name__: function
    for function in (
        bas,
        sc,
        crop_sc,
        joint_bas_sc,
        joint_bas_sc_nocrop,
        joint_bas_sv_sc,
        train,
        train_bas,
    )
}


def _connected(*classes: type[ProcessNode], gpus: int) -> Pipeline:
    found = {node.name: node for node in (_node_of(cls, gpus) for cls in classes)}
    feeding = {
        target: source for source, target in CONNECTIONS if {_node(source), _node(target)} <= set(found)
    }
    for target, source in feeding.items():
        _port(found, source).connect(found[_node(target)].inputs[target.partition(".")[2]])
    return Pipeline(found)


def _node_of(cls: type[ProcessNode], gpus: int) -> ProcessNode:
    """A node; one whose program runs on a device asks for so many GPUs."""
    return cls(resources={"gpus": gpus}) if gpus and "devices" in cls.perf_params else cls()


def _node(port: str) -> str:
    return port.partition(".")[0]


def _port(found: dict[str, ProcessNode], name: str) -> Port:
    node = found[_node(name)]
    port = name.partition(".")[2]
    return node.outputs[port] if port in node.outputs else node.inputs[port]
