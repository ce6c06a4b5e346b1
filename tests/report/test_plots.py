"""The pictures say what the table holds, whatever its names and values look like."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.errors import ResultError
from kwdag.metrics import Metric, Metrics
from kwdag.report import plots
from kwdag.report.labels import safe_name, short_labels
from kwdag.report.plots import canvas, write_plots
from kwdag.report.varied import by_influence, influence, read, scale, varied
from kwdag.roles import Roles
from tests.grid_tables import ACC, METRICS, ROLES, grid_jobs, grid_table
from tests.result_tables import table

ONE = Metrics((ACC,))


def planned(table, metrics=METRICS, roles=ROLES, **options):
    """Name of a picture -> the picture."""
    return {one.name: one for _, one in plots.pictures({"fit": table}, {"fit": metrics}, roles, **options)}


def texts(picture):
    """All that is written on a picture."""
    with canvas.style():
        figure = picture.figure()
        figure.draw_without_rendering()
        found = [text for text in figure.findobj(lambda one: hasattr(one, "get_text")) if text.get_visible()]
        return {one.get_text() for one in found if one.get_text()}


def drawn_points(picture):
    """(x, y) of every point of the scatter plots of a picture."""
    from matplotlib.collections import PathCollection

    with canvas.style():
        (axes,) = picture.figure().axes
    return np.concatenate([one.get_offsets() for one in axes.collections if isinstance(one, PathCollection)])


# -- which pictures there are ------------------------------------------------------------------------


def test_there_is_a_picture_for_each_parameter_and_primary_metric():
    names = planned(grid_table(60))
    parameters = ["fit.lr", "fit.depth", "fit.model", "fit.loss", "fit.bands", "fit.note", "prep.scale"]
    for name in parameters:
        assert {f"param_{name}_acc", f"param_{name}_rel_error"} <= names.keys()
    assert {"vantage_acc_rel_error", "parallel_acc", "heatmap_fit.depth_fit.lr_acc"} <= names.keys()
    assert not [name for name in names if "src" in name], "the region is a colour, no parameter"


def test_files_are_named_after_kind_parameter_and_metric(tmp_path):
    small = grid_table(20)[["region_id", "param_hashid", "params.fit.lr", "params.fit.depth", ACC.column]]
    progress = []
    paths = write_plots(
        {"fit": small}, {"fit": ONE}, Roles(), tmp_path, progress=lambda *n: progress.append(n)
    )
    names = ["param_fit.lr_acc", "param_fit.depth_acc", "parallel_acc", "heatmap_fit.depth_fit.lr_acc"]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"fit/{name}.{suffix}" for name in names for suffix in ("png", "svg")
    ]
    assert progress == [(i + 1, 4) for i in range(4)]
    for path in paths:
        head = path.read_bytes()[:8]
        assert head.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")


def test_no_picture_overwrites_another(tmp_path):
    two = table(acc=[1.0, 2.0], param_hashid=["a", "b"], region_id=["r", "r"], a=[1, 2], a_b=[1, 2])
    two = two.assign(**{"metrics.fit.b_c": [1.0, 2.0], "metrics.fit.c": [1.0, 2.0]})
    metrics = Metrics((Metric("metrics.fit.b_c", "b_c"), Metric("metrics.fit.c", "c")))
    paths = write_plots({"fit": two}, {"fit": metrics}, Roles(), tmp_path, formats=["svg"])
    assert len(set(paths)) == len(paths) == len(list((tmp_path / "fit").iterdir()))
    assert {"param_fit.a_b_c.svg", "param_fit.a_b_c-2.svg"} <= {path.name for path in paths}


def test_the_same_table_gives_the_same_bytes(tmp_path):
    small = grid_table(20)[["region_id", "param_hashid", "params.fit.lr", ACC.column]]
    first, second = (
        [path.read_bytes() for path in write_plots({"fit": small}, {"fit": ONE}, Roles(), tmp_path / name)]
        for name in "ab"
    )
    assert first == second


def test_nothing_is_left_behind_in_pyplot(tmp_path):
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    small = grid_table(20)[["region_id", "param_hashid", "params.fit.lr", ACC.column]]
    write_plots({"fit": small}, {"fit": ONE}, Roles(), tmp_path, formats=["svg"])
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_planning_pictures_draws_nothing_and_importing_them_is_cheap():
    heavy = "pandas", "numpy", "matplotlib", "seaborn", "jinja2"
    program = (
        "import sys, kwdag.report.plots, kwdag.report.html;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


def test_bad_formats_and_folders_are_one_sentence(tmp_path):
    with pytest.raises(ResultError, match="no format 'pgn'; did you mean 'png'"):
        write_plots({}, {}, Roles(), tmp_path, formats=["pgn"])
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot write: .*directory"):
        write_plots({"fit": grid_table(5)}, {"fit": ONE}, ROLES, tmp_path / "file")


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ResultError, match=r"needs matplotlib; pip install 'kwdag\[plots\]'"):
        plots.check()


# -- what they show ----------------------------------------------------------------------------------


def test_every_finite_row_is_a_point_at_its_values():
    grid = grid_table(80)
    points = drawn_points(planned(grid)["param_fit.depth_acc"])
    known = grid.dropna(subset=[ACC.column])
    assert len(points) == len(known)
    assert sorted(points[:, 1]) == pytest.approx(sorted(known[ACC.column]))
    spread = np.abs(np.log(points[:, 0][:, None] / np.array([2, 4, 8, 16, 32]))).min(axis=1)
    assert spread.max() < 0.31, "the jitter must not move a point to another value"


def test_boxes_come_best_first_with_counts():
    grid = grid_table(200)
    written = [
        text for text in texts(planned(grid)["param_fit.loss_acc"]) if "(" in text and "better" not in text
    ]
    counts = grid.dropna(subset=[ACC.column])["params.fit.loss"].value_counts()
    assert set(written) == {f"{name}  ({n})" for name, n in counts.items()}
    with canvas.style():
        (axes,) = planned(grid)["param_fit.loss_acc"].figure().axes
        labels = [one.get_text().split()[0] for one in axes.get_yticklabels()]
    medians = grid.groupby("params.fit.loss")[ACC.column].median().sort_values(ascending=False)
    assert labels == list(medians.index) and axes.yaxis_inverted()


def test_long_values_are_shortened_and_told_in_full_below():
    grid = grid_table(60)
    written = texts(planned(grid)["param_fit.model_acc"])
    assert any(text.startswith("…/vit/epoch_9.pt") for text in written)
    whole = "".join(line.strip() for line in sorted(written, key=len))
    assert "a-rather-long-folder-name-5" in whole
    assert max(len(text) for text in written) <= 125


def test_dollars_underscores_and_other_scripts_stand_as_they_are(tmp_path):
    written = texts(planned(grid_table(60))["param_fit.note_acc"])
    labels = {re.sub(r"  \(\d+\)$", "", text) for text in written}
    assert {"costs $5 and $6", "naïve_x^2", "日本語 ✓", "</script><img src=x onerror=alert(1)>"} <= labels


def test_the_axis_follows_the_values():
    with canvas.style():
        scales = {
            name: planned(grid_table(60))[f"param_{name}_acc"].figure().axes[0].get_xscale()
            for name in ("fit.lr", "fit.depth", "fit.weight_decay", "fit.dropout")
        }
    assert scales == {
        "fit.lr": "log",
        "fit.depth": "log",
        "fit.weight_decay": "symlog",
        "fit.dropout": "linear",
    }


def test_the_front_is_a_staircase_that_no_row_lies_beyond():
    grid = grid_table(200).dropna(subset=[ACC.column])
    with canvas.style():
        (axes,) = planned(grid)["vantage_acc_rel_error"].figure().axes
    (line,) = [one for one in axes.lines if one.get_label().startswith("Pareto front")]
    assert line.get_drawstyle() == "steps-post"
    error, acc = line.get_data()
    for i in range(len(error) - 1):  # up to the next step no row of that error has a better acc
        cheaper = grid[grid["metrics.fit.rel_error"] < error[i + 1]]
        assert cheaper[ACC.column].max() == pytest.approx(acc[i])
    assert acc[-1] == grid[ACC.column].max()


def test_the_heatmap_holds_the_means_and_marks_what_is_missing():
    grid = grid_table(60)
    grid = grid[~((grid["params.fit.lr"] == 0.1) & (grid["params.fit.depth"] == 2))]
    picture = planned(grid, ONE)["heatmap_fit.depth_fit.lr_acc"]
    means = grid.pivot_table(ACC.column, "params.fit.depth", "params.fit.lr", "mean")
    with canvas.style():
        figure = picture.figure()
        mesh = figure.axes[0].collections[0].get_array()
        hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert np.ma.filled(mesh, np.nan).reshape(means.shape) == pytest.approx(
        means.to_numpy(float), nan_ok=True
    )
    assert len(hatched) == means.isna().to_numpy().sum() >= 1


def test_cost_is_shown_for_each_node_and_against_what_drives_it():
    grid = grid_table(100)
    found = planned(grid, jobs=grid_jobs(grid))
    drivers = [name for name in found if name.startswith("resources_")]
    assert {"resources_fit.depth", "resources_fit.lr"} <= set(drivers), (
        "time and memory were planted on these"
    )
    written = texts(found["resources"])
    assert {"fit  (104)", "prep  (5)", "wall time", "CPU time", "peak memory"} <= written
    assert any(re.fullmatch(r"\d+ min|\d+ s", text) for text in written)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows_do_no_harm(tmp_path, rows):
    grid = grid_table(5).tail(rows)[
        ["region_id", "param_hashid", "params.fit.lr", "params.fit.loss", ACC.column]
    ]
    jobs = grid_jobs(grid_table(1)) if rows == 1 else None
    paths = write_plots({"fit": grid}, {"fit": ONE}, ROLES, tmp_path, formats=["svg"], jobs=jobs)
    assert len(paths) == [0, 1, 2][rows]


def test_what_is_the_same_everywhere_has_no_picture():
    flat = grid_table(30).assign(**{ACC.column: 0.5, "metrics.fit.rel_error": np.nan})
    assert planned(flat) == {}
    only = table(acc=[1.0, 2.0], param_hashid=["a", "b"], region_id=["r", "r"], x=[3, 3])
    assert planned(only, ONE) == {}


def test_thousands_of_points_are_one_image_in_an_svg(tmp_path):
    grid = grid_table(20_000)
    picture = planned(grid)["param_fit.lr_acc"]
    with canvas.style():
        (path,) = picture.save(tmp_path, ["svg"])
    elements = [element.tag.rpartition("}")[2] for element in ET.parse(path).iter()]
    assert elements.count("image") >= 1 and len(elements) < 3000
    assert path.stat().st_size < 1_000_000


def test_hundreds_of_values_show_the_best_and_say_so():
    n = 600
    many = table(
        acc=np.arange(n) / n, param_hashid=[f"h{i}" for i in range(n)], region_id=["r"] * n,
        name=[f"value {i:03d}" for i in range(n)],
    )  # fmt: skip
    written = texts(planned(many, ONE)["param_fit.name_acc"])
    assert "value 599  (1)" in written and "value 300  (1)" not in written
    assert "The 24 values with the best medians; 576 more are not shown." in written


# -- the parts ---------------------------------------------------------------------------------------


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=12, unique=True), st.integers(6, 30))
def test_short_labels_stay_apart(names, width):
    labels = short_labels(names, width)
    assert len(labels) == len(names)
    assert len(set(labels)) == len(names)
    assert all(len(label) <= width + 5 for label in labels)


@given(
    st.lists(st.lists(st.text(max_size=150), min_size=1, max_size=3), min_size=2, max_size=6, unique_by=tuple)
)
def test_file_names_are_safe_and_distinct(names):
    made = [safe_name(*parts) for parts in names if "_" not in "".join(parts)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]{1,140}", name) and name[0] != "." for name in made)


def test_the_strongest_parameter_comes_first_and_many_values_do_not_count():
    random = np.random.default_rng(0)
    n = 300
    acc = random.normal(size=n)
    frame = table(
        acc=acc, strong=np.where(acc > 0, "a", "b"), weak=np.where(acc + random.normal(size=n) > 0, 1, 2),
        noise=random.integers(0, 4, n), unique=[f"u{i}" for i in range(n)], number=random.random(n),
    )  # fmt: skip
    order = [one.name for one in by_influence(varied(frame), acc)]
    assert order[:2] == ["fit.strong", "fit.weak"]
    weights = {one.name: influence(one, acc) for one in varied(frame)}
    assert weights["fit.unique"] == 0 and weights["fit.noise"] < 0.05 and weights["fit.number"] < 0.05


@given(
    st.lists(st.sampled_from([1, 1.0, True, "1", None, 2, "a", 0.5, float("nan")]), min_size=1, max_size=20)
)
def test_levels_and_numbers_agree_with_the_values(values):
    found = read(pd.DataFrame({"params.x": pd.Series(values, dtype=object)}), "params.x")
    assert len(found.codes) == len(values) and set(found.codes) == set(range(len(found.levels)))
    if found.numbers is None:
        return
    for value, number in zip(values, found.numbers, strict=True):
        assert (
            (value is None or value != value) if np.isnan(number) else number == float(value)
        )  # "1" is the same as 1


@pytest.mark.parametrize("numbers, wanted", [
    ([1e-4, 1e-3, 1e-2], "log"), ([0, 1e-5, 1e-2], "symlog"), ([2, 4, 8, 16, 32], "log"),
    ([1, 2, 3, 20], "linear"), ([-1, 1, 1000], "linear"),
    ([0.1, 0.2, 0.5], "linear"), ([np.nan], "linear"), ([0, 0], "linear"),
])  # fmt: skip
def test_scales(numbers, wanted):
    assert scale(np.array(numbers, dtype=float)) == wanted


def test_a_metric_without_a_name_for_files_is_still_written(tmp_path):
    odd = "metrics.fit.a/b:c $x$"
    frame = grid_table(10).rename(columns={ACC.column: odd})[
        ["region_id", "param_hashid", "params.fit.lr", odd]
    ]
    paths = write_plots(
        {"fit": frame}, {"fit": Metrics((Metric(odd, "a/b:c $x$"),))}, Roles(), tmp_path, formats=["svg"]
    )
    assert all(path.parent == tmp_path / "fit" and path.exists() for path in paths) and paths
