"""The page in a real browser: what a person does with it, by mouse and keyboard, and what it must not do."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver.common.keys import Keys

from kwdag.errors import ResultError
from kwdag.metrics import Metric, Metrics
from kwdag.report.html import write_page
from kwdag.report.html.links import href
from kwdag.roles import Roles
from kwdag.yaml_pipeline import from_spec
from tests.browser import browser, missing
from tests.grid_tables import METRICS, ROLES, grid_jobs, grid_pipeline, grid_states, grid_table

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

ROWS = 300
SECTION = "window.kwdag.sections[0]"
SHOWN = "return [...document.querySelectorAll('table.results tbody tr[data-row]')].map(r => +r.dataset.row)"
TOTAL = f"return {SECTION}.table.dt.rows({{search: 'applied'}}).count()"
PICKED = f"return {SECTION}.selection.rows.size"


def write(folder, table, **options):
    options = {
        "title": "A grid", "wiring": grid_pipeline().wiring(), "jobs": grid_jobs(table),
        "states": grid_states(table),
    } | options  # fmt: skip
    return write_page(folder / "report.html", {"fit": table}, {"fit": METRICS}, ROLES, **options)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    return grid_table(ROWS, root=str(folder))


@pytest.fixture(scope="module")
def report(grid):
    from pathlib import Path

    return write(Path(grid["dpath"].iloc[0]).parent.parent, grid)


#: As if it had just been opened, which takes longer.
RESET = f"""
    const [section, columns] = [{SECTION}, {SECTION}.data.columns];
    section.selection.clear();
    columns.forEach((one, i) => section.table.dt.column(i + 2).visible(one.show, false));
    section.table.dt.rows().every(function () {{ if (this.child.isShown()) this.child.hide(); }});
    section.table.reset();
    scrollTo(0, 0);
"""


@pytest.fixture
def page(chromium, report):
    """The page as it opens, its figures drawn; no test may leave a complaint, and none goes to a network."""
    chromium.look()
    chromium.resize(1280, 900)
    if chromium.run("return location.href") == report.as_uri():
        chromium.run(RESET)
    else:
        opened(chromium, report)
    yield chromium
    assert_quiet(chromium)


@pytest.fixture
def fresh(chromium, report):
    """The page for a test that changes more than can be taken back, or that begins where the focus begins."""
    chromium.look()
    chromium.resize(1280, 900)
    opened(chromium, report)
    yield chromium
    assert_quiet(chromium)
    chromium.driver.get("about:blank")


def opened(chromium, report):
    chromium.open(report)
    chromium.wait("return document.querySelectorAll('.figures [data-drawn]').length == 3")


def assert_quiet(chromium):
    assert chromium.errors() == []
    assert chromium.run("return window.kwdag.errors") == []
    assert {url.partition(":")[0] for url in chromium.requests()} <= {"file", "data", "blob", "about"}


def column(page, label):
    """Where a column stands among those on show, from 0."""
    titles = "return [...document.querySelectorAll('table.results thead tr:first-child th .dt-column-title')]"
    texts = page.run(f"{titles}.map(one => one.textContent.replace(/ [↑↓]$/, ''))")
    return texts.index(label)


def cells(page, label):
    place = column(page, label)
    rows = "[...document.querySelectorAll('table.results tbody tr[data-row]')]"
    return page.run(f"return {rows}.map(row => row.cells[{place}].textContent)")


def sort(page, label):
    """Click on a heading and wait for the rows."""
    page.run(f"window.drawn = false; {SECTION}.table.dt.one('draw', () => (window.drawn = true))")
    page.click(header(page, label))
    page.wait("return window.drawn")


def header(page, label):
    return page.driver.find_element(
        "css selector", f"table.results thead tr:first-child th:nth-child({column(page, label) + 1})"
    )


# -- the table ---------------------------------------------------------------------------------------


def test_the_best_row_comes_first(page, grid):
    best = grid.iloc[::-1]
    assert cells(page, "hashid") == best["param_hashid"].tolist()[:25]
    assert cells(page, "rank") == [str(i + 1) for i in range(25)]
    assert [float(text) for text in cells(page, "acc")] == pytest.approx(
        best["metrics.fit.acc"][:25], abs=1e-6
    )


def test_a_click_on_a_header_sorts(page, grid):
    sort(page, "rel_error")
    errors = grid["metrics.fit.rel_error"].sort_values()
    assert [float(text) for text in cells(page, "rel_error")] == pytest.approx(
        errors[:25], rel=1e-3, abs=1e-6
    )
    assert header(page, "rel_error").get_attribute("aria-sort") == "ascending"
    sort(page, "rel_error")
    assert [float(text) for text in cells(page, "rel_error")] == pytest.approx(errors[::-1][:25], abs=1e-6)


@pytest.mark.parametrize("clicks", [1, 2])
def test_missing_numbers_come_last_both_ways(page, clicks):
    for _ in range(clicks):
        sort(page, "f1")
    assert "" not in cells(page, "f1")


def filter_column(page, label, text, how=None):
    place = column(page, label) + 1
    inside = f"table.results thead tr:nth-child(2) > *:nth-child({place})"
    if how:
        page.run(
            "const s = document.querySelector(arguments[0] + ' select'); s.value = arguments[1];"
            "s.dispatchEvent(new Event('input', {bubbles: true}));"
            "s.dispatchEvent(new Event('change', {bubbles: true}))", inside, how,
        )  # fmt: skip
    page.driver.find_element("css selector", f"{inside} input").send_keys(text)


def test_a_column_is_filtered_by_text_and_by_number(page, grid):
    filter_column(page, "region", "alp")
    alps = grid[grid["region_id"] == "alps"]
    page.becomes(TOTAL, int(len(alps)))
    filter_column(page, "acc", "0.7", "greater")
    page.becomes(TOTAL, int((alps["metrics.fit.acc"] > 0.7).sum()))
    page.click(".dt-buttons button:nth-child(2)")
    page.becomes(TOTAL, ROWS)


def test_all_columns_are_searched_at_once_with_whole_values(page, grid):
    page.driver.find_element("css selector", ".dt-search input").send_keys("a-rather-long-folder-name-3 vit")
    page.becomes(TOTAL, int(grid["params.fit.model"].str.contains("vit").sum()))


def test_plots_draw_only_rows_that_pass_the_filters(page, grid):
    filter_column(page, "region", "delta")
    page.becomes(TOTAL, int((grid["region_id"] == "delta").sum()))
    masks = page.run(f"return {SECTION}.panels.map(one => one.filter.booleans)")
    wanted = (grid["region_id"] == "delta").tolist()
    assert masks == [wanted] * 3


def test_columns_are_chosen_from_a_list(page):
    page.click(".dt-buttons button:first-child")
    names = page.run(
        "return [...document.querySelectorAll('.dt-button-collection button')].map(b => b.textContent)"
    )
    assert {"fit.lr", "job.wall", "verdict", "job"} <= set(names)
    wall = names.index("job.wall") + 1
    page.click(f".dt-button-collection button:nth-child({wall})")
    page.keys(Keys.ESCAPE)
    assert all(text.endswith("s") or " " in text for text in cells(page, "job.wall"))


def test_a_row_opens_with_all_its_values_and_links(page, grid, report):
    best = grid.iloc[-1]
    page.click("table.results tbody tr:first-child button.open")
    text = page.run("return document.querySelector('.details').textContent")
    assert best["params.fit.model"] in text and best["job.host"] in text
    links = page.run(
        "return [...document.querySelectorAll('.details .paths a')].map(a => a.getAttribute('href'))"
    )
    assert links == [f"fit/{best['job_id']}/", f"fit/{best['job_id']}/job.log"]
    assert (report.parent / links[0]) == report.parent / "fit" / best["job_id"]
    opener = "table.results tbody tr:first-child button.open"
    assert page.run(f"return document.querySelector('{opener}').ariaExpanded") == "true"


def test_pictures_are_shown_on_demand_from_the_job_directory(page, grid, report):
    folder = report.parent / "fit" / grid["job_id"].iloc[-1]
    folder.mkdir(parents=True, exist_ok=True)
    page.picture(folder / "curve.png")
    page.click("table.results tbody tr:first-child button.open")
    assert page.run("return document.querySelectorAll('.details img').length") == 0
    page.click(".details .gallery button")
    page.wait(
        "const i = document.querySelector('.details img'); return i && i.complete && i.naturalWidth > 100"
    )
    page.click("table.results tbody tr[data-row]:nth-child(3) button.look")  # of a job that wrote none
    assert page.wait("return document.querySelector('.gone')?.textContent") == "not there"
    page.driver.get_log("browser")  # the browser itself complains of the file that is not there


def test_links_are_relative_below_the_page_and_absolute_elsewhere():
    assert href("/a/b/fit/x", "/a/b") == "fit/x"
    assert href("/a/bc/fit", "/a/b") == "file:///a/bc/fit"
    assert href("/a/b/é #?%", "/a/b") == "%C3%A9%20%23%3F%25"
    assert href("/a/b/javascript:x", "/a/b") == "javascript%3Ax"


def test_what_passes_the_filters_is_saved_as_csv(page, grid, tmp_path):
    page.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    filter_column(page, "region", "alps")
    page.becomes(TOTAL, int((grid["region_id"] == "alps").sum()))
    page.click(".dt-buttons button:nth-child(3)")
    page.until(lambda: (tmp_path / "fit.csv").exists())
    saved = pd.read_csv(tmp_path / "fit.csv")
    alps = grid[grid["region_id"] == "alps"][::-1].reset_index()
    assert saved["rank"].is_monotonic_increasing
    assert saved["param_hashid"].tolist() == alps["param_hashid"].tolist()
    assert saved["params.fit.model"].tolist() == alps["params.fit.model"].tolist()
    assert np.allclose(saved["metrics.fit.acc"], alps["metrics.fit.acc"], equal_nan=True, rtol=1e-15)


# -- linked plots ------------------------------------------------------------------------------------


def in_all_views(page):
    """The picked rows as each view has them, sorted."""
    views = page.run(f"""
        const section = {SECTION};
        const sorted = (rows) => [...rows].map(Number).sort((a, b) => a - b);
        const views = section.panels.map((one) => sorted(one.source.selected.indices));
        return [sorted(section.selection.rows), ...views];
    """)
    assert all(view == views[0] for view in views), [len(view) for view in views]
    return views[0]


@pytest.mark.parametrize("figure", ["scatter", "strip", "parallel"])
def test_what_is_picked_in_one_plot_is_picked_in_all(page, figure):
    page.drag(f"figure.{figure} .canvas", (0.3, 0.3), (0.75, 0.6))
    n = page.wait(PICKED)
    assert 0 < n < ROWS
    rows = in_all_views(page)
    page.becomes(TOTAL, n)  # the table shows these alone
    assert set(page.run(SHOWN)) <= set(rows)
    page.click("button.clear")
    assert in_all_views(page) == []
    page.becomes(TOTAL, ROWS)


def test_the_scatter_picks_the_rows_within_the_box(page, grid):
    page.drag("figure.scatter .canvas", (0.4, 0.3), (0.6, 0.6))
    page.wait(PICKED)
    rows = grid.iloc[in_all_views(page)]
    others = grid.drop(rows.index)
    for name in ("metrics.fit.acc", "metrics.fit.rel_error"):
        others = others[others[name].between(rows[name].min(), rows[name].max())]
    assert others.empty


def test_an_axis_of_the_parallel_plot_picks_by_value(page, grid):
    box = page.run("""
        const view = document.querySelector('figure.parallel .canvas').getBoundingClientRect();
        return [view.width, view.height];
    """)
    assert box[0] > 800
    page.run(f"""
        const panel = {SECTION}.panels.find(one => one.axes);
        panel._boxed({{geometry: {{type: 'rect', x0: -0.1, x1: 0.1, y0: 0.6, y1: 0.7}}, final: true}});
    """)
    picked = grid.iloc[in_all_views(page)]
    assert set(picked["params.fit.lr"]) == {0.01}
    assert len(picked) == (grid["params.fit.lr"] == 0.01).sum()


def test_rows_are_picked_by_buttons_and_in_the_table(page, grid):
    page.click("button[data-pick=best]")
    assert in_all_views(page) == list(range(ROWS - 10, ROWS))
    page.click("button.clear")
    page.click("table.results tbody tr:nth-child(2) td:nth-child(4)")
    assert in_all_views(page) == [ROWS - 2]
    assert page.settle(TOTAL) == ROWS  # picking in the table does not shorten it
    page.click("input.only")
    page.becomes(TOTAL, 1)
    page.click("button[data-pick=front]")
    front = grid.iloc[in_all_views(page)]
    better = [
        ((grid["metrics.fit.acc"] > row.acc) & (grid["metrics.fit.rel_error"] < row.rel_error)).any()
        for row in front.rename(columns=lambda name: name.removeprefix("metrics.fit.")).itertuples()
    ]
    assert len(front) > 1 and not any(better)


def test_the_plots_show_what_is_chosen(fresh):
    page = fresh

    def choose(select, text):
        from selenium.webdriver.support.select import Select

        Select(page.driver.find_element("css selector", select)).select_by_visible_text(text)

    choose("figure.scatter select.x", "fit.model")
    choose("figure.scatter select.hue", "fit.lr")
    choose("figure.strip select.param", "fit.note")
    page.settle("return [...document.querySelectorAll('[data-drawn]')].map(one => one.dataset.drawn).join()")
    labels = page.run(f"return {SECTION}.panels.slice(0, 2).map(one => one.fig.xaxes[0].axis_label)")
    assert labels == ["fit.model", "fit.note"]
    assert page.run("return document.querySelector('figure.scatter .legend').textContent").startswith(
        "fit.lr"
    )


# -- by keyboard -------------------------------------------------------------------------------------


def active(page, what):
    return page.run(f"const e = document.activeElement; return {what}")


def tab_to(page, test, most=60):
    for _ in range(most):
        page.keys(Keys.TAB)
        if active(page, test):
            return
    raise AssertionError(f"the focus never came to {test}")


def test_everything_is_reached_without_a_mouse(fresh):
    page = fresh
    page.keys(Keys.TAB)
    assert active(page, "e.className") == "skip"
    assert page.run("return document.activeElement.getBoundingClientRect().top") >= 0  # seen when focused
    page.keys(Keys.ENTER)
    assert active(page, "e.id") == "node-0"
    tab_to(page, "e.dataset.pick == 'best'")
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keys(Keys.ENTER)
    assert page.wait(PICKED) == 10
    tab_to(page, "e.matches('input.only')")
    page.keys(Keys.SPACE)
    page.becomes(TOTAL, ROWS)
    tab_to(page, "e.closest('th')?.textContent.startsWith('rel_error')")
    page.keys(Keys.ENTER)
    assert header(page, "rel_error").get_attribute("aria-sort") == "ascending"
    tab_to(page, "e.matches('tbody input.pick')")
    page.keys(Keys.ARROW_DOWN, Keys.SPACE)
    assert page.wait(f"return {SECTION}.selection.rows.size == 11 || {SECTION}.selection.rows.size == 9")
    page.keys(Keys.TAB, Keys.ENTER)
    assert page.wait("return document.querySelectorAll('.details').length") == 1


def test_every_control_has_a_name(page):
    unnamed = page.run("""
        const name = (e) => e.ariaLabel || e.title || e.textContent.trim() || e.labels?.length;
        return [...document.querySelectorAll("button, a, input, select, [role=button], svg.dag, table")]
            .filter((e) => !name(e)).map((e) => e.outerHTML.slice(0, 120));
    """)
    assert unnamed == []


# -- dark, narrow, printed ----------------------------------------------------------------------------


def is_dark(colours):
    """Whether the page, its text and a plot look as on a dark page; None for what is in between."""
    parts = [[int(part) for part in re.findall(r"\d+", colour)[:3]] for colour in colours]
    back, text, plot = ((0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255 for red, green, blue in parts)
    return [
        True if dark else False if light else None
        for dark, light in ((back < 0.2, back > 0.8), (text > 0.7, text < 0.3), (plot < 0.2, plot > 0.8))
    ]


def test_dark_mode_holds_for_text_tables_and_plots(page):
    colours = """
        const style = (s) => getComputedStyle(document.querySelector(s));
        const fill = (c) => { document.body.style.outlineColor = c; return style('body').outlineColor; };
        return [style('.node').backgroundColor, style('tbody td').color,
                fill(window.kwdag.sections[0].panels[0].fig.background_fill_color)];
    """
    for dark in (True, False):
        page.look(dark=dark)
        page.until(lambda dark=dark: is_dark(page.run(colours)) == [dark] * 3)


def test_a_window_of_eighty_columns_scrolls_down_only(page):
    page.resize(640, 900)
    page.settle("return document.documentElement.scrollWidth")
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


def test_paper_has_pictures_and_rows_but_no_controls(page):
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 2
    page.look(paper=True)
    page.run("dispatchEvent(new Event('beforeprint'))")
    wanted = ["img.printed", "table.results tbody tr", "svg.dag"]
    hidden = [".picks", ".controls", "select", "button", ".dt-paging", ".dtcc", "nav", ".canvas"]
    seen = "[...document.querySelectorAll(one)].some(e => e.getClientRects().length)"
    assert page.run(f"return arguments[0].filter(one => {seen})", wanted + hidden) == wanted
    assert len(page.run(SHOWN)) == 40
    page.run("dispatchEvent(new Event('afterprint'))")
    page.look()
    assert len(page.run(SHOWN)) == 25


# -- the run -----------------------------------------------------------------------------------------


def test_the_pipeline_is_drawn_with_states_and_durations(page):
    texts = page.run("return [...document.querySelectorAll('svg.dag .node')].map(one => one.textContent)")
    assert "15 done" in texts[0] and "30 s a job" in texts[0]
    assert "300 done · 7 pending · 10 failed" in texts[1]
    assert page.run("return document.querySelectorAll('svg.dag .edge').length") == 1
    assert page.run("return document.querySelector('svg.dag a').getAttribute('href')") == "#node-0"


def test_the_timeline_tells_of_a_job(page):
    page.run("document.getElementById('timeline').scrollIntoView({behavior: 'instant'})")
    page.wait("return document.querySelector('#timeline [data-drawn]')")
    page.run("[...window.kwdag.panels].find(one => one.story).source.selected.indices = [0]")
    assert "_id_" in page.wait("return document.querySelector('.story').textContent")
    assert page.run("return document.querySelectorAll('.story a, .longest a').length") == 22


# -- hostile, odd and empty ---------------------------------------------------------------------------

EVIL = (
    "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\"'`$$x$$ \\(y\\) &amp; <!--"
)
BROKEN = f"{EVIL} \udc80"  # half of a surrogate pair


def evil_table(n=12):
    return pd.DataFrame({
        "region_id": [f"r{i % 2}{EVIL}" for i in range(n)],
        "param_hashid": [f"h{i}{EVIL}" for i in range(n)],
        "node": EVIL,
        "job_id": [f"j{i}{EVIL}" for i in range(n)],
        "dpath": pd.Series([f"/tmp/{BROKEN.replace('/', '')}{i}" for i in range(n)], dtype=object),
        f"params.n.{EVIL}": pd.Series([f"{i % 3}{BROKEN}" for i in range(n)], dtype=object),
        f"params.n.list {EVIL}": pd.Series([[BROKEN, i % 2] for i in range(n)], dtype=object),
        f"params.n.number {EVIL}": [i % 4 for i in range(n)],
        f"metrics.n.{EVIL}": np.arange(n) / 7,
        f"metrics.n.b{EVIL}": np.arange(n)[::-1] / 7,
        f"context.{EVIL}": [EVIL] * n,
    })  # fmt: skip


def test_text_from_results_never_becomes_markup(chromium, tmp_path):
    table = evil_table()
    metrics = Metrics((Metric(f"metrics.n.{EVIL}", EVIL), Metric(f"metrics.n.b{EVIL}", f"b{EVIL}")))
    jobs = pd.DataFrame({
        "node": EVIL, "job_id": table["job_id"], "dpath": table["dpath"], "state": EVIL, "host": EVIL,
        "start": np.arange(12.0), "stop": np.arange(12.0) + 3, "wall": 3.0,
    })  # fmt: skip
    spec = {"nodes": {"n": {"command_template": "true", "out_paths": {"d": f"{EVIL.replace('/', '')}.png"}}}}
    wiring = from_spec(spec).wiring()
    wiring.nodes[EVIL] = wiring.nodes.pop("n")
    options = {"title": EVIL, "wiring": wiring, "jobs": jobs, "states": {EVIL: {EVIL: 3}}}
    path = write_page(tmp_path / "evil.html", {EVIL: table}, {EVIL: metrics}, Roles(), **options)
    chromium.look()
    chromium.resize(1280, 900)
    chromium.open(path)
    chromium.run("document.getElementById('timeline').scrollIntoView({behavior: 'instant'})")
    chromium.wait("return document.querySelectorAll('[data-drawn]').length == 4")
    chromium.click("table.results tbody tr:first-child button.open")
    chromium.click(".dt-buttons button:first-child")
    chromium.keys(Keys.ESCAPE)
    chromium.click("button[data-pick=best]")
    chromium.run("[...window.kwdag.panels].find(one => one.story).source.selected.indices = [2]")
    chromium.driver.find_element("css selector", ".dt-search input").send_keys("onerror &amp; <script>")
    chromium.becomes(TOTAL, 10)
    chromium.hover("figure.scatter .canvas")
    chromium.settle("return document.querySelectorAll('*').length")
    assert chromium.run("return window.pwned") is None
    assert (
        chromium.run("return document.querySelectorAll('img[src=x], script:not([id]):not([type])').length")
        <= 2
    )
    assert chromium.run("return document.querySelectorAll('img[src=x]').length") == 0
    assert_quiet(chromium)  # nor was anything stopped by the page's policy alone


def nearly_nothing():
    one = grid_table(1)
    constant = grid_table(40).assign(**{"metrics.fit.acc": 0.5, "metrics.fit.rel_error": np.nan})
    bare = pd.DataFrame({"region_id": ["a"], "param_hashid": ["b"], "metrics.fit.acc": [float("inf")]})
    return {"one row": one, "constant and NaN": constant, "no rows": grid_table(3).iloc[:0], "bare": bare}


@pytest.mark.parametrize("name", nearly_nothing())
def test_a_page_of_nearly_nothing_opens(chromium, tmp_path, name):
    table = nearly_nothing()[name]
    metrics = Metrics(tuple(m for m in METRICS.primary if m.column in table))
    path = write_page(tmp_path / "report.html", {"fit": table}, {"fit": metrics}, ROLES, title="little")
    chromium.open(path)
    if len(table):
        chromium.wait(f"return {SECTION}.panels.every(one => one.fig)")
        assert len(chromium.run(SHOWN)) == min(len(table), 25)
    assert_quiet(chromium)


def test_a_page_of_no_tables_at_all_opens(chromium, tmp_path):
    chromium.open(write_page(tmp_path / "report.html", {}, {}, Roles(), title="nothing"))
    assert_quiet(chromium)


def test_data_survive_the_page(page, grid):
    """The page's columns hold the table's own values, to the last bit."""
    found = page.run(f"""
        const data = {SECTION}.data;
        const texts = (key) => Array.from({{length: data.rows}}, (_, i) => data.byKey.get(key).text(i));
        return JSON.stringify({{
            acc: Array.from(data.byKey.get('metrics.fit.acc').numbers),
            lr: Array.from(data.byKey.get('params.fit.lr').numbers),
            model: texts('params.fit.model'), bands: texts('params.fit.bands'), hash: texts('param_hashid'),
            folders: Array.from({{length: data.rows}}, (_, i) => data.folders.of(i)),
        }});
    """)
    found = json.loads(found)
    assert np.array_equal(np.array(found["acc"], float), grid["metrics.fit.acc"].to_numpy(), equal_nan=True)
    assert found["lr"] == grid["params.fit.lr"].tolist()
    assert found["model"] == grid["params.fit.model"].tolist()
    assert found["bands"] == [str(value) for value in grid["params.fit.bands"]]
    assert found["hash"] == grid["param_hashid"].tolist()
    assert found["folders"] == [f"fit/{name}" for name in grid["job_id"]]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, grid):
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot write"):
        write(tmp_path / "file", grid)


# -- size --------------------------------------------------------------------------------------------

BAR = 2.0

SORT = """
    const done = arguments[0];
    const head = document.querySelector('table.results thead th[data-key="metrics.fit.rel_error"]');
    const begin = performance.now();
    window.kwdag.sections[0].table.dt.one('draw', () =>
        requestAnimationFrame(() => requestAnimationFrame(() => done((performance.now() - begin) / 1000))));
    head.click();
"""


def timed(chromium, path):
    """Seconds until the table can be used, and from a click on a header to the rows on the screen."""
    chromium.open(path)
    opened = chromium.run("return performance.getEntriesByName('kwdag-table-ready')[0].startTime / 1000")
    chromium.settle("return document.querySelectorAll('[data-drawn]').length", quiet=0.5)
    return opened, chromium.driver.execute_async_script(SORT)


def test_twenty_thousand_rows_open_and_sort_within_two_seconds(chromium, tmp_path):
    path = write(tmp_path, grid_table(20_000))
    chromium.look()
    chromium.resize(1280, 900)
    times = timed(chromium, path)
    if max(times) >= BAR:  # the machine may have been busy with something else
        times = [min(pair) for pair in zip(times, timed(chromium, path), strict=True)]
    assert max(times) < BAR, f"opened in {times[0]:.2f} s, sorted in {times[1]:.2f} s"
    assert chromium.run(TOTAL) == 20_000
