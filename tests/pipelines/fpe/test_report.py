"""The report of a model, in a real browser and on paper: what stands in it, how it lies, and bad input."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from pipelines.fpe import report_data, report_figures, report_plots
from tests.browser import browser, missing
from tests.pipelines.fpe.report_cases import write_model
from tests.pipelines.programs import caller

call = caller("pipelines.fpe")
in_browser = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]
EVIL = '<script>alert(1)</script> & "x"'
LOADED = "return document.readyState == 'complete'"
SIZES = [(390, 800), (1280, 900)]
COMPARING = {"scatter", "ranks", "residuals", "daily-series", "daily-scatter"}
FIGURES = {"inputs", "losses", "predictions"} | COMPARING
A4 = 182 / 25.4 * 96, 273 / 25.4 * 96  # in CSS pixels, within the margins


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("fpe")


def of(root, code="M"):
    return f"--directory={root}", "--station-id=29", f"--model-code={code}"


def paths(folder, dst):
    given = {"input": "input", "train": "train", "predictions": "transform/predictions.csv"}
    return *(f"--{name}={folder / path}" for name, path in given.items()), f"--dst={dst}"


@pytest.fixture(scope="module")
def usual(root):
    """As many images as a station has of a year or more."""
    folder = write_model(root / "29/models/M", images=10_000, per_day=24)
    assert call("report", *of(root)) == (0, "")
    return folder / "M.html"


@pytest.fixture(scope="module")
def bare(root):
    """Without observations, and with names that are markup."""
    folder = write_model(root / "29/models/bare", observed=False, missing=12, station={"name": EVIL},
                         record={"variable_id": "<b>V"})  # fmt: skip
    ended = call("report", *paths(folder, root / "bare.html"), f"--model-code={EVIL}")
    assert ended == (0, "")
    return root / "bare.html"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module", params=["usual", "bare"])
def page(request, chromium):
    chromium.look()
    chromium.open(request.getfixturevalue(request.param), LOADED)
    return chromium


def shown(chromium, path):
    """The browser with a page, which takes a while to open."""
    if chromium.run("return location.href") != path.as_uri():
        chromium.look()
        chromium.open(path, LOADED)
    return chromium


class TestInABrowser:
    pytestmark = in_browser

    @pytest.mark.parametrize("size", SIZES)
    def test_all_is_visible_and_nothing_overlaps(self, page, size):
        page.resize(*size)
        assert page.run("return document.documentElement.scrollWidth") <= size[0]
        seen = page.run(SEEN)
        shown = {name: texts for name, _, _, texts in seen}
        assert set(shown) == (FIGURES if "scatter" in shown else FIGURES - COMPARING)
        for name, drawings, least, texts in seen:
            assert (drawings, least >= 8) == (1, True), (name, drawings, least)
            assert not overlapping(texts), name
        assert page.run("return [...document.querySelectorAll('section')].every(s => s.offsetHeight > 40)")

    def test_paper(self, page):
        page.look(paper=True)
        page.resize(round(A4[0]), round(A4[1]))
        for kind, inside, wide, high, over in page.run(BLOCKS):
            assert inside == "avoid" and wide <= A4[0] + 1 and high < A4[1] and not over, kind
        assert page.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
        assert page.run("return document.querySelectorAll('.narrow').length") > 0
        assert {one[1] for one in page.run(SEEN)} == {1}
        boxes = re.findall(rb"/MediaBox \[0 0 (\d+)\S* (\d+)", page.pdf())
        assert set(boxes) == {(b"594", b"841")} and 2 <= len(boxes) <= 6

    def test_it_asks_for_nothing_and_complains_of_nothing(self, page):
        assert {url.partition(":")[0] for url in page.requests()} <= {"file", "data"}
        assert page.errors() == []
        assert page.run("return document.scripts.length") == 0

    def test_its_numbers_are_those_of_evaluate(self, chromium, root, usual):
        assert call("evaluate", *of(root)).code == 0
        metrics = json.loads((usual.parent / "evaluation.json").read_text())["result"]["metrics"]
        shown(chromium, usual)
        rows = cells(chromium, "correlations")
        assert [row[0] for row in rows] == ["train", "val", "test-in", "test-out", "all"]
        for split, *found in rows:
            name = split.replace("-", "_")
            keys = [f"{what}_{level}{name}" for level in ("", "day_") for what in ("tau", "rho", "n")]
            assert found == [f"{metrics[key]:,}" if key[0] == "n" else f"{metrics[key]:.3f}" for key in keys]
        table = pd.read_csv(usual.parent / "transform/predictions.csv").dropna(subset=["value", "score"])
        tau = stats.kendalltau(table["value"], table["score"]).statistic
        assert rows[-1][1] == f"{tau:.3f}" and rows[-1][3] == f"{len(table):,}"
        train, val = cells(chromium, "agreement")
        assert train == ["train", "2,222", *(f"{metrics[f'accuracy{n}_train']:.3f}" for n in (2, 3))]
        titles = chromium.run("return document.querySelector('#scatter .wide').textContent")
        assert f"test-out: τ {metrics['tau_test_out']:.2f}, n {metrics['n_test_out']:,}" in titles
        titles = chromium.run("return document.querySelector('#daily-scatter .wide').textContent")
        assert f"val: τ {metrics['tau_day_val']:.2f}, n {metrics['n_day_val']}" in titles

    def test_the_head(self, chromium, usual):
        shown(chromium, usual)
        text = chromium.run("return document.getElementById('model').innerText")
        for said in ("West Brook 0 (29)", "America/New_York", "FLOW_CFS", "42.4300° N, 72.6700° W",
                     "from 2022-10-20 10:30 to 2023-12-11 00:30", "2 images have no score"):  # fmt: skip
            assert said in text
        assert cells(chromium, "counts") == [
            ["train", "2,223", "2,223", "2,222", "2,222"],
            ["val", "741", "741", "740", "740"],
            ["test-in", "3,703", "3,703", "3,703", "–"],
            ["test-out", "3,333", "3,333", "3,333", "–"],
            ["all", "10,000", "10,000", "9,998", "2,962"],
        ]
        names = chromium.run(
            "return [...document.querySelectorAll('.columns dt, .columns dd')].map(e => e.innerText)"
        )
        assert names[names.index("min_hour") + 1] == "7" and names[names.index("augment") + 1] == "yes"
        assert names[names.index("learning_rate") + 1] == "0.02" and names[names.index("weights") + 1] == "–"

    def test_without_observations_one_sentence_stands_for_them(self, chromium, bare):
        shown(chromium, bare)
        assert "has an observation of <b>V" in chromium.run(
            "return document.querySelector('#unobserved').innerText"
        )
        assert not chromium.run("return document.querySelector('#correlations, #scatter, #rank, #daily')")
        assert cells(chromium, "agreement")[0][0] == "train"

    def test_names_are_text_and_never_markup(self, chromium, bare):
        shown(chromium, bare)
        assert chromium.run("return document.querySelector('h1').textContent") == EVIL
        assert chromium.run("return document.title") == f"{EVIL}, {EVIL}"
        assert chromium.run("return document.querySelectorAll('script, b, i').length") == 0


#: Of each picture: its name, its drawings on show, the size in pixels of its smallest letters, its texts.
SEEN = """
    return [...document.querySelectorAll('figure')].map(figure => {
        const shown = [...figure.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().height > 50);
        const texts = [...shown[0].querySelectorAll('text')];
        const scale = shown[0].getScreenCTM().a;
        const size = Math.min(...texts.map(t => scale * parseFloat(getComputedStyle(t).fontSize)));
        const boxes = texts.map(t => [t.textContent.trim(), t.getBoundingClientRect()]);
        return [figure.id, shown.length, size, boxes.map(([t, b]) => [t, b.left, b.top, b.right, b.bottom])];
    })"""
BLOCKS = """
    return [...document.querySelectorAll('figure, table')].map(e => [
        e.id, getComputedStyle(e).breakInside, e.getBoundingClientRect().right, e.offsetHeight,
        e.scrollWidth > e.clientWidth + 1])"""


def overlapping(texts):
    """The pairs of texts whose boxes, two pixels smaller, have a place in common."""
    return [
        (a[0], b[0])
        for a, b in itertools.combinations(texts, 2)
        if min(a[3], b[3]) - max(a[1], b[1]) > 2 and min(a[4], b[4]) - max(a[2], b[2]) > 4
    ]


def cells(page, table):
    rows = f"[...document.querySelectorAll('#{table} tbody tr')]"
    return page.run(f"return {rows}.map(row => [...row.cells].map(cell => cell.innerText))")


def read(folder):
    return report_data.read(folder / "input", folder / "train", folder / "transform/predictions.csv")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Of a few images."""
    return read(write_model(tmp_path_factory.mktemp("few") / "M"))


def test_the_same_bytes_again_from_anywhere(root, bare, usual):
    folder = root / "29/models/bare"
    ended = call("report", *paths(folder, root / "new/page.html"), f"--model_code={EVIL}")
    assert ended.code == 0
    assert (root / "new/page.html").read_bytes() == bare.read_bytes()
    assert [path.name for path in (root / "new").iterdir()] == ["page.html"]
    text = usual.read_text()
    again = read(usual.parent)
    assert all(draw(again).svg(False) in text for draw in (report_plots.scatter, report_plots.residuals))


def test_few_points_are_shapes_and_many_an_image(material, usual):
    few = report_plots.daily_series(material).svg(False)
    assert "<image" not in few and len(re.findall("<use [^>]*style", few)) > 80
    assert usual.read_text().count("<image") > 20


def test_ten_thousand_images_make_no_huge_page(usual):
    assert usual.stat().st_size < 5e6


def test_nothing_in_the_page_has_an_address(usual, bare):
    for path in (usual, bare):
        text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", path.read_text())
        assert "http:" not in text and "https:" not in text


def test_images_without_a_score_are_counted_and_ten_are_named(bare):
    text = bare.read_text()
    assert "12 images have no score" in text and "and 2 more." in text
    assert text.count(".JPG") == 10 and "imagesets/u" not in text


def test_times_are_the_stations_across_the_end_of_summer_time():
    rows = pd.DataFrame(
        {"timestamp": ["2022-11-06T02:30:00Z", "2022-11-06T14:30:00Z", "2022-11-06T14:30-05:00"]}
    )
    found = report_data.with_clock(rows, "timestamp", {"timezone": "America/New_York"}, "x.csv")["clock"]
    assert found.astype(str).tolist() == ["2022-11-05 22:30:00", "2022-11-06 09:30:00", "2022-11-06 14:30:00"]


def test_bars_and_days_are_of_the_local_calendar(material):
    figure = Figure()
    report_plots.inputs(material).draw(figure, True)
    top, bottom = figure.axes
    for axes, rows, name in ((top, material.rows, "timestamp"), (bottom, material.pairs, "timestamp_1")):
        dates = pd.to_datetime(rows[name]).dt.tz_convert("America/New_York").dt.date
        shapes = [patch.get_path() for patch in axes.patches]
        assert len(shapes) == rows["split"].nunique()
        for day, count in dates.value_counts().items():
            middle = (pd.Timestamp(day) - pd.Timestamp(0)).days + 0.5
            inside = [
                any(one.contains_point((middle, count + more)) for one in shapes) for more in (-0.5, 0.5)
            ]
            assert inside == [True, False], (name, day)
    assert "America/New_York" in bottom.get_xlabel() and "2022" in bottom.get_xlabel()


def test_ranks_and_residuals_are_among_images_that_have_both():
    rows = pd.DataFrame({"value": [1.0, 2.0, None, 4.0, 9.0], "score": [0.3, 0.1, 9.0, 0.3, None]})
    found = report_data.with_ranks(rows)
    np.testing.assert_allclose(found["value_rank"], np.array([0.5, 1.5, np.nan, 2.5, np.nan]) * 100 / 3)
    np.testing.assert_allclose(found["residual"][[0, 1, 3]], np.array([1.5, -1, -0.5]) * 100 / 3)
    assert found["residual"].isna().tolist() == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("variable", "least", "scale", "label"),
    [
        ("FLOW_CFS", 1, "log", "flow (ft³/s)"),
        ("FLOW_CFS", 0, "linear", "flow (ft³/s)"),
        ("STAGE_FT", 1, "linear", "stage (ft)"),
        ("OTHER", 1, "linear", "OTHER"),
    ],
)
def test_a_flow_has_a_logarithmic_axis_where_it_is_positive(variable, least, scale, label):
    axes = Figure().subplots()
    report_figures.value_axis(axes, "x", pd.Series([least, 500.0, None]), variable)
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_xlabel()) == (scale, "linear", label)


def test_the_epoch_that_is_marked_is_the_first_of_the_best(material):
    figure = Figure()
    report_plots.losses(material).draw(figure, False)
    marked = [line for line in figure.axes[0].lines if "chosen" in str(line.get_label())]
    assert [line.get_xdata()[0] for line in marked] == [3]


def test_a_variable_is_neither_markup_nor_mathematics_in_a_picture(material):
    from dataclasses import replace

    odd = replace(material, record=material.record | {"variable_id": "<b>$x$ &"})
    text = report_plots.series(odd).svg(False)
    assert ">&lt;b&gt;$x$ &amp;</text>" in text and "<b>" not in text


def test_ids_of_pictures_are_their_own(usual):
    found = re.findall(r'\bid="([^"]+)"', usual.read_text())
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', usual.read_text()))
    assert len(found) == len(set(found)) and used <= set(found)


def test_splits_are_apart_in_grey_and_for_colour_blind_eyes():
    colours = [hex_colour(style.colour) for style in report_figures.STYLES.values()]
    assert len({style.marker for style in report_figures.STYLES.values()}) == 4
    for a, b in itertools.combinations(colours, 2):
        assert abs(lightness(a) - lightness(b)) > 10
        for seen in (PROTAN, DEUTAN):
            assert np.linalg.norm(seen @ a - seen @ b) > 0.15


# Machado, Oliveira and Fernandes 2009, severity 1; of linear RGB.
PROTAN = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
DEUTAN = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)


def hex_colour(text):
    """Linear RGB."""
    parts = np.array([int(text[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lightness(colour):
    """CIE L* from 0 to 100."""
    return 116 * np.cbrt(colour @ [0.2126, 0.7152, 0.0722]) - 16


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("input/pairs.csv", None, None, "pairs.csv: cannot be read"),
        ("input/station.json", None, None, "station.json: cannot be read"),
        ("input/rank-input.json", None, None, "rank-input.json: cannot be read"),
        ("train/metrics.csv", None, None, "metrics.csv: cannot be read"),
        ("train/args.json", None, None, "args.json: cannot be read"),
        ("transform/predictions.csv", None, None, "predictions.csv: cannot be read"),
        ("transform/predictions.csv", "score", "mark", "no column score"),
        ("transform/predictions.csv", "filename", "file", "no column filename"),
        ("transform/predictions.csv", "test-out", "rest", "split 'rest' is none of train, val"),
        ("transform/predictions.csv", "2022-10-20T14:30:00Z", "noon", "'noon' is not a time"),
        ("transform/predictions.csv", r"[0-9.]+\n", "inf\n", "score 'inf' is not a number"),
        ("input/pairs.csv", "timestamp_1", "time", "no column timestamp_1"),
        ("input/station.json", "America/New_York", "Mars/East", "'Mars/East' is not known"),
        ("input/station.json", "timezone", "zone", "no timezone"),
        ("input/rank-input.json", "variable_id", "variable", "no variable_id"),
        ("train/args.json", "{", "[{", "is not JSON"),
        ("train/args.json", "(?s).*", "[]", "is not a JSON object"),
        ("train/metrics.csv", "train_loss", "loss", "no column train_loss"),
        ("train/metrics.csv", "0.55", "low", "val_loss is not a number"),
        ("train/metrics.csv", "(?s)\n.*", "\n", "has no epochs"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, name, old, new, told):
    folder = write_model(tmp_path / "29/models/M", images=40)
    path = folder / name
    if old is None:
        path.unlink()
    else:
        path.write_text(re.sub(old, new, path.read_text(), count=1))
    ended = call("report", *of(tmp_path))
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
    assert sorted(one.name for one in folder.iterdir()) == ["input", "train", "transform"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model-code=M"], "--input is missing"),
        (["--directory=.", "--model-code=M"], "--station-id is missing"),
        (["--directory=.", "--station-id=29"], "--model-code is missing"),
        (["--directory=.", "--station-id=0", "--model-code=M"], "no such model"),
    ],
)
def test_options_that_are_missing_are_named(arguments, told):
    ended = call("report", *arguments)
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
