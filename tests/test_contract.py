"""A job that exits with 0 is done only if what it wrote is a result."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from kwdag import contract
from kwdag.contract import BrokenContract
from kwdag.node import ProcessNode

METRICS = [
    {"metric": "acc", "type": "float", "range": [0, 1], "required": True},
    {"metric": "count", "type": "int"},
    {"metric": "ok", "type": "bool"},
    {"metric": "label", "type": "str"},
    {"metric": "free"},
]


def node(**fields):
    return ProcessNode(**{"name": "e", "executable": "e", "out_paths": {"out": "out.json"}, **fields})


@pytest.fixture
def check(tmp_path):
    """Judge a result file written as text, or as metrics."""

    def judge(result, **fields):
        text = result if isinstance(result, str) else json.dumps({"metrics": result})
        (tmp_path / "out.json").write_text(text)
        return contract.check(node(**fields), str(tmp_path))

    return judge


GOOD = {"acc": 0.5, "count": 3, "ok": True, "label": "x", "free": [1]}


def test_a_good_result_gives_stamps_and_metrics(check):
    stamps, metrics = check(GOOD, metrics=METRICS)
    assert list(stamps) == ["out"] and metrics == GOOD


BROKEN = [
    # metrics, what is said
    ({}, "metric 'acc' is missing"),
    ({"acc": None}, "metric 'acc' is missing"),
    ({"acc": float("nan")}, "metric 'acc' is nan"),
    ({"acc": float("inf")}, "metric 'acc' is inf"),
    ({"acc": 0.5, "other": float("nan")}, "metric 'other' is nan"),
    ({"acc": "0.5"}, "'0.5', not of type float"),
    ({"acc": True}, "True, not of type float"),
    ({"acc": 1.0001}, r"outside \[0, 1\]"),
    ({"acc": -0.1}, r"outside \[0, 1\]"),
    ({"acc": 1, "count": 1.5}, "1.5, not of type int"),
    ({"acc": 1, "count": False}, "False, not of type int"),
    ({"acc": 1, "ok": 1}, "1, not of type bool"),
    ({"acc": 1, "label": 1}, "1, not of type str"),
    ("[1, 2", "not whole JSON"),
    ("", "not whole JSON"),
    ("[3]", "metric 'acc' is missing"),
]


@pytest.mark.parametrize(("result", "words"), BROKEN)
def test_a_broken_contract(check, result, words):
    with pytest.raises(BrokenContract, match=words):
        check(result, metrics=METRICS)


@pytest.mark.parametrize("acc", [0, 1, 0.0, 1.0, 0.5])
def test_the_bounds_belong_to_the_range(check, acc):
    assert check({"acc": acc}, metrics=METRICS)[1]["acc"] == acc


def test_a_range_may_be_open_at_one_end(check):
    metrics = [{"metric": "n", "range": [0, None]}]
    assert check({"n": 1e9}, metrics=metrics)
    with pytest.raises(BrokenContract, match="outside"):
        check({"n": -1}, metrics=metrics)


def test_every_cut_of_a_json_file_is_seen(check):
    text = json.dumps({"metrics": {"acc": 1}})
    for size in range(len(text)):
        with pytest.raises(BrokenContract, match="not whole JSON"):
            check(text[:size])


def test_a_large_json_file_is_judged_by_its_end(check, monkeypatch):
    monkeypatch.setattr(contract, "PARSE_LIMIT", 10)
    assert check(json.dumps({"a": [1] * 100}) + "\n")
    with pytest.raises(BrokenContract, match="not whole JSON"):
        check(json.dumps({"a": [1] * 100})[:-1])


def test_without_declared_metrics_none_are_asked_for(check):
    assert check({"acc": float("nan")})[1] is None


def test_a_hook_may_return_numpys_numbers(tmp_path):
    import numpy as np

    class Own(ProcessNode):
        name, executable = "e", "e"
        metrics = METRICS

        def load_result(self, node_dpath):
            return {
                "metrics.e.acc": np.float32(0.5),
                "metrics.e.count": np.int64(3),
                "metrics.e.ok": np.True_,
            }

    metrics = contract.check_metrics(Own(), str(tmp_path))
    assert json.dumps(metrics) == '{"acc": 0.5, "count": 3, "ok": true}'


def test_a_hook_that_raises_breaks_the_contract(tmp_path):
    class Own(ProcessNode):
        name, executable, metrics = "e", "e", ("acc",)

        def load_result(self, node_dpath):
            raise KeyError("acc")

    with pytest.raises(BrokenContract, match="KeyError: 'acc'"):
        contract.check_metrics(Own(), str(tmp_path))


def test_a_missing_output_is_named(tmp_path):
    (tmp_path / "one.txt").write_text("")
    outs = {"one": "one.txt", "two": "sub/two.txt", "dir": "."}
    with pytest.raises(BrokenContract, match=r"output 'two' \(sub/two.txt\) is missing"):
        contract.check(node(out_paths=outs), str(tmp_path))


def test_an_output_may_be_a_folder(tmp_path):
    (tmp_path / "tiles.json").mkdir()
    (tmp_path / "tiles.json/a").write_text("x")
    assert contract.check(node(out_paths={"dir": "tiles.json"}), str(tmp_path))[0]["dir"][0] == 1


ITEMS = [
    # text of the list, what is said or the keys
    ('[{"key": "a"}, {"key": "b", "values": {"x": 1}}]', ["a", "b"]),
    ('{"items": [{"key": "a"}], "more": 1}', ["a"]),
    ("[]", []),
    ("", "not whole JSON"),
    ('[{"key": "a"}', "not whole JSON"),
    ("3", "not a list"),
    ('{"key": "a"}', "not a list"),
    ('["a"]', "needs a text 'key'"),
    ('[{"key": 1}]', "needs a text 'key'"),
    ('[{"key": ""}]', "needs a text 'key'"),
    ('[{"key": "a\\u0000"}]', "needs a text 'key'"),
    ('[{"key": "a", "values": [1]}]', "needs a text 'key'"),
    ('[{"key": "a"}, {"key": "a"}]', "lists the key 'a' twice"),
]


@pytest.mark.parametrize(("text", "expected"), ITEMS)
def test_the_list_of_a_scatter(check, text, expected):
    if isinstance(expected, list):
        check(text, scatter="out")
        return
    with pytest.raises(BrokenContract, match=expected):
        check(text, scatter="out")


# What one job does with its output -> how it ends.
ENDS = {
    "echo whole > $OUT": ("done", None),
    "exit 7": ("failed", "exit code 7"),
    "echo half > $OUT; exit 1": ("failed", "exit code 1"),
    "true": ("failed", "invalid result: output 'out' (out.txt) is missing"),
    "mkdir $OUT": ("done", None),
    ": > $OUT": ("done", None),
    "echo half > $OUT; kill -SEGV $$": ("failed", "killed by SIGSEGV"),
    "echo half > $OUT; kill -KILL $$": ("failed", "killed by SIGKILL"),
    "no-such-program": ("failed", "exit code 127"),
    "./other || exit 9": ("failed", "exit code 9"),  # written for an interpreter that is not there
    "./forbidden": ("failed", "exit code 126"),
    "false | true; echo > $OUT": ("done", None),
}
RESULTS = {
    '{"metrics": {"acc": 0.5}}': ("done", None),
    '{"metrics": {"acc": 0.5': ("failed", "invalid result: output 'out' (out.json) is not whole JSON"),
    '{"metrics": {"acc": NaN}}': ("failed", "invalid result: metric 'acc' is nan"),
    '{"metrics": {"acc": 2}}': ("failed", "invalid result: metric 'acc' is 2, outside [0, 1]"),
    '{"metrics": {}}': ("failed", "invalid result: metric 'acc' is missing"),
    "": ("failed", "invalid result: output 'out' (out.json) is not whole JSON"),
}


@pytest.mark.every_backend
def test_how_a_job_ends_and_why(lab):
    for name, mode in (("other", 0o755), ("forbidden", 0o644)):
        Path(lab.file(name, "#!/no/such/interpreter\n")).chmod(mode)
    lab.node("a", "OUT={out}; eval {does}", outs={"out": "out.txt"}, algo_params=["does"])
    lab.node("e", "printf %s {text} > {out}", outs={"out": "out.json"}, algo_params=["text"],
             metrics=[{"metric": "acc", "range": [0, 1], "required": True}])  # fmt: skip
    lab.node("behind", ins=["src"]).edge("a.out -> behind.src")
    texts = [text for text, _ in zip(itertools.cycle(RESULTS), ENDS, strict=False)]
    run = lab.schedule({"zip": {"a.does": list(ENDS), "e.text": texts}})
    ended = {
        next(iter(event.job.params.values())): (event.state, event.reason)
        for event in run.ended
        if event.job.node.name != "behind"
    }
    assert ended == {**ENDS, **RESULTS}
    for event in run.ended:
        path = lab.root / event.job.node.name / event.job.id / "job_status.json"
        assert (json.loads(path.read_text())["state"] if path.exists() else "blocked") == event.state
    good = [state for state, _ in ENDS.values()].count("done")
    assert lab.ran().count("behind") == good
    assert run.counts["blocked"] == len(ENDS) - good


@pytest.mark.every_backend
def test_a_broken_contract_fails_the_job_there_and_then(lab):
    lab.node("e", "echo '{{\"metrics\": {{\"acc\": 2}}}}' > {out}", outs={"out": "out.json"},
             metrics=[{"metric": "acc", "range": [0, 1]}])  # fmt: skip
    lab.node("later", ins=["src"]).edge("e.out -> later.src")
    run = lab.schedule({})
    assert run.counts == {"failed": 1, "blocked": 1}
    assert run.ended[0].reason == "invalid result: metric 'acc' is 2, outside [0, 1]"
    assert json.loads((lab.job("e") / "job_status.json").read_text())["state"] == "failed"


@pytest.mark.every_backend
def test_metrics_are_recorded_in_the_status(lab):
    lab.node("e", 'echo \'{{"metrics": {{"acc": 1}}}}\' > {out}', outs={"out": "out.json"}, metrics=["acc"])
    lab.schedule({})
    assert json.loads((lab.job("e") / "job_status.json").read_text())["metrics"] == {"acc": 1}
