"""What the page is made of, as far as it can be judged without a browser."""

from __future__ import annotations

import base64
import html
import re
import xml.etree.ElementTree as ET
from collections import Counter

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwdag.errors import ResultError
from kwdag.report.html import check, dag, timeline, write_page
from kwdag.report.html.libraries import libraries
from kwdag.roles import Roles
from tests.grid_tables import METRICS, ROLES, grid_jobs, grid_pipeline, grid_table

SPANS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 15)), min_size=1, max_size=40
)


def laid_out(spans):
    """Hosts, starts and stops of the jobs in the order in which they get lanes, and what they got."""
    spans = sorted((host, begin, begin + length) for host, begin, length in spans)
    hosts, start, stop = (list(column) for column in zip(*spans, strict=True))
    return hosts, start, stop, *timeline._lanes(hosts, np.array(start, float), np.array(stop, float))


@given(SPANS)
def test_bars_of_a_lane_never_overlap_and_no_lane_is_wasted(spans):
    hosts, start, stop, lanes, ranges = laid_out(spans)
    for lane in set(lanes):
        bars = [(start[i], stop[i]) for i in range(len(lanes)) if lanes[i] == lane]
        assert all(first[1] <= second[0] for first, second in zip(bars, bars[1:], strict=False))
    for host, first, last in ranges:
        mine = [i for i in range(len(hosts)) if hosts[i] == host]
        assert {lanes[i] for i in mine} == set(range(first, last))
        busiest = max(sum(start[j] <= start[i] < stop[j] for j in mine) for i in mine)
        assert last - first == busiest


def test_many_short_jobs_become_few_bars_that_count_them():
    n = timeline.MOST_BARS + 1000
    start = np.arange(n) * 0.5
    ids = [f"fit_id_{i}" for i in range(n)]
    states = ["failed" if i == 777 else "done" for i in range(n)]
    jobs = pd.DataFrame({"node": "fit", "job_id": ids, "dpath": [f"/r/fit/{name}" for name in ids],
                         "state": states, "host": "anna", "start": start, "stop": start + 0.4})  # fmt: skip
    found = timeline.timeline(jobs, "/r")
    counts = np.frombuffer(base64.b64decode(next(iter(found["count"].values()))), "u1")
    assert counts.sum() == n and len(counts) < 5000
    assert "failed" in found["state"]["levels"]


def test_jobs_without_times_have_no_timeline():
    jobs = grid_jobs(grid_table(3))
    assert timeline.timeline(jobs.drop(columns="start"), "/") is None
    assert timeline.timeline(jobs.assign(stop=np.nan), "/") is None


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 9))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    graph = nx.DiGraph()
    graph.add_nodes_from(f"n{i}" for i in range(n))
    graph.add_edges_from((f"n{i}", f"n{j}") for i, j in edges)
    return graph


@given(graphs())
@settings(max_examples=60)
def test_a_pipeline_reads_from_left_to_right_and_no_boxes_touch(graph):
    layers = dag._ordered(dag._layers(graph))
    places, (width, height) = dag._places(layers)
    for source, target in graph.edges:
        assert places[source][0] + dag.WIDTH < places[target][0]
    boxes = [places[name] for name in graph]
    for i, (x, y) in enumerate(boxes):
        assert 0 <= x <= width - dag.WIDTH and dag.HEIGHT / 2 <= y <= height - dag.HEIGHT / 2
        others = [one for one in boxes[:i] if one[0] == x]
        assert all(abs(y - other) > dag.HEIGHT for _, other in others)
    for path in dag._paths(graph, layers):
        assert [places[name][0] for name in path] == sorted({places[name][0] for name in path})


def test_the_picture_of_a_pipeline_is_well_formed_and_names_what_it_shows():
    facts = {"fit": dag.Fact(Counter(done=3, failed=1), "2 s a job", "node-0")}
    tree = ET.fromstring(dag.picture(grid_pipeline().wiring(), facts))
    texts = [text for text in tree.itertext() if text.strip()]
    assert {"prep", "no jobs", "fit", "3 done · 1 failed", "2 s a job"} <= set(texts)
    assert any("prep to fit: dst -> src" in text for text in texts)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    grid = grid_table(5)
    path = tmp_path_factory.mktemp("page") / "deep" / "report.html"
    options = {"wiring": grid_pipeline().wiring(), "jobs": grid_jobs(grid)}
    assert write_page(path, {"fit": grid}, {"fit": METRICS}, ROLES, title="t", **options) == path
    return path.read_text()


def test_the_page_names_no_other_file_than_those_of_the_jobs(source):
    markup = html.unescape(re.sub(r"<(script|style)\b.*?</\1>", "", source, flags=re.DOTALL))
    addresses = re.findall(r'(?:src|href|action|poster|data)="([^"]*)"', markup)
    assert addresses and all(one.startswith(("#", "data:")) for one in addresses)
    assert "default-src 'none'" in markup and "unsafe-eval" not in markup


def test_the_licences_of_what_the_page_carries_stay_in_it(source):
    for words in ("Copyright (c) Anaconda, Inc., and Bokeh Contributors", "SpryMedia", "OpenJS Foundation",
                  "MIT License", "Redistribution and use in source and binary forms"):  # fmt: skip
        assert words in source


def test_the_same_table_gives_the_same_page(tmp_path):
    grid = grid_table(5)
    one, two = (write_page(tmp_path / f"{i}.html", {"fit": grid}, {}, ROLES, title="t") for i in range(2))
    assert one.read_bytes() == two.read_bytes()


def test_no_library_can_end_the_element_it_stands_in():
    found = libraries()
    for text in (found.tables, found.plots):
        assert not re.search(r"<(/script|!--)", text, re.IGNORECASE) and "\r" not in text


def test_a_missing_library_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr("kwdag.report.html.libraries.find_spec", lambda name: None)
    with pytest.raises(ResultError, match=r"needs bokeh; pip install 'kwdag\[html\]'"):
        check()
    with pytest.raises(ResultError, match="needs bokeh"):
        write_page(tmp_path / "report.html", {}, {}, Roles(), title="t")
    assert not list(tmp_path.iterdir())
