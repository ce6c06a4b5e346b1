"""A grid as people have them, run for real: three regions, missing cells and values, ten parameters."""

from __future__ import annotations

import pytest

from kwdag.aggregation import aggregate

PIPELINE = """\
nodes:
  fit:
    executable: bash fit.sh
    in_paths: [scene]
    out_paths: {dst: fit.json}
    tags: {scene: dataset}
    algo_params: {lr: 0.1, optimizer: adam, weights: null, depth: 4, width: 64, dropout: 0.1, augment: true,
                  loss: focal, bands: [red, green], seed: 0}
    metrics:
      - {metric: acc, objective: maximize, primary: true, range: [0, 1], required: true}
      - {metric: rel_error, objective: minimize, primary: true}
      - {metric: n_test, objective: maximize}
"""
DEEP = "/data/projects/" + "/".join(f"a-rather-long-folder-name-{i}" for i in range(5))
PARAMS = f"""\
pipeline: pipe.yaml
matrix:
  fit.scene: [alps.tif, delta.tif, sahel.tif]
  fit.lr: [0.1, 0.01, 0.001]
  fit.optimizer: [adam, sgd]
  fit.weights: [{DEEP}/epoch_3.pt, {DEEP}/epoch_9.pt]
"""
#: The learning rate matters most; 0.1 fails wherever it is dry, and one place has no number.
FIT = """\
for word in "$@"; do [[ $word == --*=* ]] && declare "${word#--}"; done
[[ $scene == *sahel* && $lr == 0.1 ]] && { echo "step 17: loss is nan" >&2; exit 1; }
acc=$(awk -v lr="$lr" -v opt="$optimizer" -v w="$weights" -v s="$scene" 'BEGIN {
    a = 0.5 + (lr == 0.01 ? 0.3 : lr == 0.1 ? 0.15 : 0)
    a += (opt == "sgd" ? 0.004 : 0) + (w ~ /epoch_9/ ? 0.02 : 0)
    a += s ~ /delta/ ? 0.05 : s ~ /sahel/ ? -0.05 : 0
    printf "%.3f", a }')
err=$(awk -v lr="$lr" 'BEGIN { printf "%.4f", lr / 7 }')
[[ $scene == *alps* && $lr == 0.001 && $optimizer == sgd ]] && err=null
echo "{\\"metrics\\": {\\"acc\\": $acc, \\"rel_error\\": $err, \\"n_test\\": 128}}" >"$dst"
"""


@pytest.fixture
def grid(folder, kwdag):
    (folder / "pipe.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "fit.sh").write_text(FIT)
    for region in ("alps", "delta", "sahel"):
        (folder / f"{region}.tif").write_text(region)
    assert kwdag("schedule", "--params=params.yaml", "--root_dpath=out", "--run=1").code == 1
    return folder


OPTIONS = {"analyze": 1, "macro_analysis": 1, "top_k": 6}


@pytest.mark.parametrize("width", [80, 160])
def test_the_report_of_a_grid_reads_well(grid, golden, width):
    report = aggregate("out", stdout_report=OPTIONS, width=width).report
    assert max(map(len, report.splitlines())) <= width
    golden(f"aggregate_grid_{width}", report)
