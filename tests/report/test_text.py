"""The report reads like the contract, at 80 columns and with whatever the results hold."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from kwdag import ranking
from kwdag.columns import Columns
from kwdag.errors import ResultError
from kwdag.metrics import Metric, Metrics, choose_metrics
from kwdag.report import text
from kwdag.report.boards import Section
from kwdag.report.options import Options
from kwdag.roles import Roles

EXAMPLE = """\
Varied Basis: = {
    'params.stage1_predict.src_fpath': {
        'run_pipeline.sh': 4,
        'README.rst': 4,
    },
    'params.stage1_predict.param1': {
        123: 2,
        456: 2,
        32: 2,
        33: 2,
    },
}
Constant Params: {
    'params.stage1_evaluate.workers': 4,
}
Varied Parameter LUT: {
    'glbocdwvkxtv': {
        'params.stage1_predict.src_fpath': 'run_pipeline.sh',
        'params.stage1_predict.param1': 123,
    },
    'nwwgnpyasplu': {
        'params.stage1_predict.src_fpath': 'run_pipeline.sh',
        'params.stage1_predict.param1': 456,
    },
    'jtzwyszovjbn': {
        'params.stage1_predict.src_fpath': 'run_pipeline.sh',
        'params.stage1_predict.param1': 32,
    },
    'rezvuaccxrwa': {
        'params.stage1_predict.src_fpath': 'README.rst',
        'params.stage1_predict.param1': 123,
    },
    'hgiumhuqyzgi': {
        'params.stage1_predict.src_fpath': 'README.rst',
        'params.stage1_predict.param1': 456,
    },
    'pidrwcexvksv': {
        'params.stage1_predict.src_fpath': 'README.rst',
        'params.stage1_predict.param1': 33,
    },
    'isorfkkiscnn': {
        'params.stage1_predict.src_fpath': 'run_pipeline.sh',
        'params.stage1_predict.param1': 33,
    },
    'rssahtzdgbts': {
        'params.stage1_predict.src_fpath': 'README.rst',
        'params.stage1_predict.param1': 32,
    },
}
---
Top 8 / 8 for stage1_evaluate, unknown
region_id param_hashid  accuracy  hamming_distance
  unknown glbocdwvkxtv  0.478516               267
  unknown nwwgnpyasplu  0.484375               264
  unknown jtzwyszovjbn  0.490234               261
  unknown rezvuaccxrwa  0.492188               260
  unknown hgiumhuqyzgi  0.503906               254
  unknown pidrwcexvksv  0.509766               251
  unknown isorfkkiscnn  0.529297               241
  unknown rssahtzdgbts  0.533203               239
"""


def test_the_report_of_the_example_is_as_documented():
    run, readme = "/w/run_pipeline.sh", "/w/README.rst"
    table = pd.DataFrame(
        {
            "region_id": "unknown",
            "param_hashid": [line.split()[1] for line in EXAMPLE.splitlines()[-8:]],
            "params.stage1_predict.src_fpath": [run, run, run, readme, readme, readme, run, readme],
            "params.stage1_predict.param1": [123, 456, 32, 123, 456, 33, 33, 32],
            "params.stage1_evaluate.workers": 4,
            "metrics.stage1_evaluate.accuracy": [x / 512 for x in (245, 248, 251, 252, 258, 261, 271, 273)],
            "metrics.stage1_evaluate.hamming_distance": [267, 264, 261, 260, 254, 251, 241, 239],
        }
    )
    metrics = choose_metrics("stage1_evaluate", [], table)
    roles = Roles(unhashed=frozenset({"stage1_evaluate.workers"}))
    assert text.report([Section("stage1_evaluate", table, metrics)], None, roles, base="/w") == EXAMPLE


ACC = Metric("metrics.fit.acc", "acc")
ROLES = Roles(model=frozenset({"fit.net"}), unhashed=frozenset({"fit.data"}), dataset=frozenset({"fit.data"}))


@pytest.fixture
def section():
    table = pd.DataFrame(
        {
            "region_id": ["r1", "r2"] * 3,
            "param_hashid": ["aaaa", "aaaa", "bbbb", "bbbb", "cccc", "cccc"],
            "job_id": [f"fit_id_{n}" for n in range(6)],
            "params.fit.data": ["/d/r1", "/d/r2"] * 3,
            "params.fit.net": ["small"] * 4 + ["big"] * 2,
            "params.fit.lr": [1, 1, 2, 2, 1, 1],
            ACC.column: [0.1, 0.6, 0.2, 0.5, 0.3, 0.4],
            "metrics.fit.note": ["x"] * 6,
        }
    )
    return Section("fit", ranking.rank(table, [ACC]), Metrics((ACC,), (ACC,)))


def shown(section, **options):
    return text.report([section], Options.of(options), ROLES)


def tops(report):
    """Heading -> the hashes below it."""
    found: dict[str, list[str]] = {}
    for line in report.splitlines():
        if line.startswith("Top"):
            rows = found[line] = []
        elif found and line.split()[1:2] and len(line.split()[1]) == 4 and not line.startswith("region_id"):
            rows.append(line.split()[1])
    return found


def test_each_region_has_a_table_of_its_own_best_last(section):
    assert tops(shown(section)) == {
        "Top 3 / 3 for fit, r1": ["aaaa", "bbbb", "cccc"],
        "Top 3 / 3 for fit, r2": ["cccc", "bbbb", "aaaa"],
    }


def test_top_k_keeps_the_best_and_only_they_are_looked_up(section):
    report = shown(section, top_k=1)
    assert tops(report) == {"Top 1 / 3 for fit, r1": ["cccc"], "Top 1 / 3 for fit, r2": ["aaaa"]}
    assert "'bbbb'" not in report


def test_per_group_limits_the_rows_of_one_model(section):
    assert list(tops(shown(section, per_group=1)).values()) == [["bbbb", "cccc"], ["cccc", "aaaa"]]


def test_the_reference_region_chooses_the_rows_of_the_others(section):
    report = shown(section, top_k=1, reference_region="r1")
    assert tops(report) == {"Top 1 / 3 for fit, r1": ["cccc"], "Top 1 / 3 for fit, r2": ["cccc"]}
    final = tops(shown(section, top_k=1, reference_region="final"))
    assert list(final.values()) == [["aaaa"], ["aaaa"]]


def test_macro_analysis_ranks_the_mean_over_regions_last(section):
    report = shown(section, macro_analysis=1)
    assert list(tops(report))[-1] == "Top 3 / 3 for fit, macro_2 (r1, r2)"
    assert report.splitlines()[-1].split() == ["macro_2", "cccc", "0.350000", "0.070711"]
    assert list(tops(shown(section, macro_analysis=1, top_k=1, reference_region="macro_2")).values())[0] == [
        "cccc"
    ]


def test_print_models_tells_the_model_of_each_hash(section):
    assert "Models: {\n    'aaaa': {\n        'params.fit.net': 'small',\n" in shown(section)
    assert "Models" not in shown(section, print_models=False)


def test_a_dataset_varies_but_names_no_hash(section):
    report = shown(section)
    basis, lut = report.split("Varied Parameter LUT")
    assert "params.fit.data" in basis and "params.fit.data" not in lut


def test_analyze_gives_mean_and_best_of_each_value(section):
    report = shown(section, analyze=1)
    table = report.split("Effect of params.fit.lr on acc:\n")[1].splitlines()[:3]
    assert [line.split() for line in table] == [
        ["value", "rows", "mean", "best"],
        ["1", "4", "0.350000", "0.600000"],
        ["2", "2", "0.350000", "0.500000"],
    ]


def test_a_full_report_adds_other_metrics_and_job_ids(section):
    assert "note" not in shown(section)
    assert "note  job_id" in " ".join(shown(section, concise=0).split("\n")).replace("   ", "  ")


def test_show_csv_repeats_each_table(section):
    assert "region_id,param_hashid,acc\nr1,aaaa,0.1\n" in shown(section, show_csv=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topk": 3}, "no option 'topk'; did you mean 'top_k'?"),
        ({"top_k": 0}, "top_k is a whole number above 0 or null, not 0"),
        ({"top_k": "all"}, "top_k is a whole number above 0 or null, not 'all'"),
        ({"per_group": True}, "per_group is a whole number above 0 or null, not True"),
        ({"analyze": "yes"}, "analyze is 0 or 1, not 'yes'"),
        ({"macro_analysis": []}, "macro_analysis is 0, 1 or a list of regions"),
        ({"reference_region": 3}, "reference_region is the name of a region"),
        ([1], "a mapping of options"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ResultError) as caught:
        Options.of(options)
    assert message in str(caught.value)


@pytest.mark.parametrize("options", [{"reference_region": "r3"}, {"macro_analysis": ["r1", "r3"]}])
def test_an_unknown_region_is_refused_with_the_nearest(section, options):
    with pytest.raises(ResultError, match="no region 'r3'; known: r1, r2"):
        shown(section, **options)


def test_the_options_of_the_example_are_understood():
    spec = {
        "top_k": 100, "per_group": None, "macro_analysis": 0, "analyze": 0, "print_models": True,
        "reference_region": None, "concise": 1, "show_csv": 0,
    }  # fmt: skip
    assert Options.of(spec) == Options()
    assert Options.of({"top_k": math.inf, "concise": "split"}) == Options(top_k=None)


# -- awkward content -----------------------------------------------------------------------------------


def one_row(params, value=1.0, **fields):
    columns = Columns()
    columns.append({**{f"params.fit.{name}": param for name, param in params.items()}, ACC.column: value})
    table = columns.table().assign(region_id="unknown", param_hashid="aaaa")
    return Section("fit", table, Metrics((ACC,), (ACC,)), **fields)


def test_paths_below_the_folder_are_shown_relative_to_it():
    report = text.report([one_row({"a": "/w/x", "b": ["/w/y", "/wz"], "c": "/w", "d": "/"})], base="/w")
    constants = report.split("Constant Params: ")[1].split("\nVaried")[0]
    assert eval(constants) == {
        "params.fit.a": "x", "params.fit.b": ["y", "/wz"], "params.fit.c": "/w", "params.fit.d": "/",
    }  # fmt: skip


def test_quotes_newlines_and_broken_unicode_stay_printable():
    report = text.report([one_row({"a": 'it\'s\n"so" \ud800', "\ud800": 1}, value="\ud800\n!")])
    report.encode()
    assert "\\ud800 !" in report and "params.fit.\\\\ud800" in report


def test_many_values_are_summed_up():
    table = pd.DataFrame({"region_id": "unknown", "param_hashid": [f"h{n}" for n in range(1000)]})
    table = table.assign(**{"params.fit.x": range(1000), ACC.column: 0.5})
    report = text.report([Section("fit", table, Metrics((ACC,), (ACC,)))], Options(top_k=2))
    assert "        ... 976 more values: 976,\n" in report
    assert len(report.splitlines()) < 50


def test_a_wide_table_folds_and_repeats_its_keys():
    columns = {"region_id": ["r"], "param_hashid": ["abcdefghijkl"]} | {
        f"a_long_metric_{n}": [n] for n in range(9)
    }
    lines = text.table_lines(columns, 80, keys=2)
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line] == ["region_id", "r"] * 3
    assert len(text.table_lines(columns, 300, keys=2)) == 2


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.5, 1, None, math.nan], ["0.500000", "1", "NaN", "NaN"]),
        ([1e-9, 0.0], ["1.000000e-09", "0.000000e+00"]),
        ([math.inf, 0.5], ["inf", "0.500000"]),
        ([10**30, pd.NA], [str(10**30), "NaN"]),
        ([True, "x", {"a": 1}], ["True", "x", "{'a': 1}"]),
        ([], []),
    ],
)
def test_numbers_in_a_table(values, texts):
    lines = text.table_lines({"m": values})
    assert [line.strip() for line in lines[1:]] == texts
    assert len({len(line) for line in lines}) == 1


def test_a_node_without_results_says_why():
    empty = Section("fit", pd.DataFrame(), Metrics(), {"failed": 2, "unfinished": 1, "done": 3}, skipped=3)
    assert text.report([empty]) == "No results of fit\nNot ranked: 2 failed, 1 unfinished, 3 skipped\n"


def test_what_is_not_ranked_is_counted():
    report = text.report([one_row({}, states={"done": 1, "failed": 2})])
    assert report.splitlines()[-1] == "Not ranked: 2 failed"


def test_skipped_jobs_are_listed_with_their_reasons():
    assert text.skipped_lines([("/w/r/fit/x", "no file out.json")], "/w") == ["r/fit/x: no file out.json"]
