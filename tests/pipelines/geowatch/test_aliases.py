from __future__ import annotations

import pytest

from pipelines.errors import BadInput
from pipelines.geowatch.aliases import FLAGS, NAMESPACES, new_name
from pipelines.geowatch.pipelines import joint_bas_sv_sc

NODES = joint_bas_sv_sc().nodes

TABLE = {
    "trk.pxl.model": "bas_pxl.package_fpath",
    "trk.pxl.package_fpath": "bas_pxl.package_fpath",
    "trk.pxl.data.test_dataset": "bas_pxl.test_dataset",
    "trk.pxl.data.window_scale_space": "bas_pxl.window_space_scale",
    "trk.pxl.data.input_scale_space": "bas_pxl.input_space_scale",
    "trk.pxl.data.output_scale_space": "bas_pxl.output_space_scale",
    "trk.pxl.data.time_sampling": "bas_pxl.time_sampling",
    "trk.pxl.data.chip_dims": "bas_pxl.chip_dims",
    "trk.pxl.tta_time": "bas_pxl.tta_time",
    "trk.pxl.devices": "bas_pxl.devices",
    "trk.pxl.viz_thresh": "bas_pxl_eval.viz_thresh",
    "trk.pxl.__enabled__": "bas_pxl.__enabled__",
    "trk.poly.thresh": "bas_poly.thresh",
    "trk.poly.boundary_region": "bas_poly.boundary_region",
    "trk.poly.true_site_dpath": "bas_poly_eval.true_site_dpath",
    "trk.poly.true_region_dpath": "bas_poly_eval.true_region_dpath",
    "trk.poly.extra_header": "bas_poly_viz.extra_header",
    "crop.src": "sc_crop.crop_src_fpath",
    "crop.regions": "sc_crop.regions",
    "crop.context_factor": "sc_crop.context_factor",
    "act.pxl.model": "sc_pxl.package_fpath",
    "act.pxl.data.test_dataset": "sc_pxl.test_dataset",
    "act.pxl.data.input_scale_space": "sc_pxl.input_space_scale",
    "act.pxl.data.chip_overlap": "sc_pxl.chip_overlap",
    "act.poly.use_viterbi": "sc_poly.use_viterbi",
    "act.poly.enable_viz": "sc_poly_eval.enable_viz",
    "act.poly.channels": "sc_poly_viz.channels",
    "bas_pxl.test_dataset": "bas_pxl.test_dataset",
    "bas_pxl.model": "bas_pxl.package_fpath",
    "sv_crop.target_gsd": "sv_crop.target_gsd",
    "sc_poly.__slurm_options__": "sc_poly.__slurm_options__",
}


@pytest.mark.parametrize(("old", "new"), TABLE.items())
def test_old_names(old, new):
    assert new_name(old, NODES) == new


@pytest.mark.parametrize(("wrong", "nearest"), [
    ("trk.poly.tresh", "trk.poly.thresh"),
    ("trk.pxl.modle", "trk.pxl.model"),
    ("trk.pxl.data.input_space", "trk.pxl.data.input_scale_space"),
    ("crop.region", "crop.regions"),
    ("act.poly.use_viterby", "act.poly.use_viterbi"),
    ("trk.plo.thresh", "trk.poly.thresh"),
    ("bas_ploy.thresh", "bas_poly.thresh"),
    ("bas_poly.tresh", "thresh"),
])  # fmt: skip
def test_an_unknown_name_is_refused_with_the_nearest(wrong, nearest):
    with pytest.raises(BadInput) as caught:
        new_name(wrong, NODES, "params.yaml, line 7")
    assert str(caught.value).startswith("params.yaml, line 7: no ")
    assert f"did you mean {nearest!r}?" in str(caught.value)


def test_tables_name_nodes_that_there_are():
    assert {node for nodes in NAMESPACES.values() for node in nodes} < NODES.keys()
    assert sorted(node for nodes in FLAGS.values() for node in nodes) == sorted(NODES)
