"""Whatever a user gets wrong: exit code 2 and one line that names the place and the nearest valid name.

Every case is the whole line that a user reads, without `kwdag: ` in front.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import tree
from tests.conftest import BACKENDS

_, TMUX, SLURM = BACKENDS

PIPELINE = """\
nodes:
  predict:
    executable: bash predict.sh
    in_paths: [src]
    out_paths: {dst: pred.json}
    algo_params: {param1: 1}
  evaluate:
    executable: bash evaluate.sh
    in_paths: [pred, truth]
    out_paths: {out: eval.json}
    perf_params: {workers: 0}
edges: [predict.dst -> evaluate.pred, predict.src -> evaluate.truth]
"""
PARAMS = """\
pipeline: pipe.yaml
matrix:
  predict.src: [a.txt, b.txt]
  predict.param1: [1, 2]
"""
CODE = {
    "raising.py": "import os\n1 / 0\n",
    "broken.py": "def make(:\n",
    "needy.py": "import no_such_package\n",
    "leaving.py": "raise SystemExit(3)\n",
    "mine.py": """\
from kwdag import Pipeline, ProcessNode

def two_of_one_name():
    return Pipeline([ProcessNode(name="p", executable="true"), ProcessNode(name="p", executable="true")])

def escaping():
    return Pipeline([ProcessNode(name="p", executable="true", out_paths={"out": "../p.json"})])

def number():
    return 3

def raises():
    raise ValueError("two\\nlines")
""",
}
FORMS = "package.module.function(), path/to/file.py::function(), a .yaml file or a mapping with 'nodes'"
INSTALLED = "is it installed, on PYTHONPATH or below the current folder?"


def params(old: str, new: str) -> dict[str, str]:
    assert old in PARAMS
    return {"params.yaml": PARAMS.replace(old, new)}


def pipeline(old: str, new: str) -> dict[str, str]:
    assert old in PIPELINE
    return {"pipe.yaml": PIPELINE.replace(old, new)}


def more(text: str) -> dict[str, str]:
    return {"params.yaml": PARAMS + text}


GATHERED = "predict.dst -> evaluate.pred"
GATHERED_BY = "{src: predict.dst, dst: evaluate.pred, gather: "


def named(reference: str) -> dict[str, str]:
    return params("pipe.yaml", reference)


# what the files hold -> what `kwdag schedule --params=params.yaml --root_dpath=out` complains of
DOCUMENTS = {
    # keys
    "misspelled node": (
        params("predict.param1", "preditc.param1"),
        "params.yaml, line 4: no node in key 'preditc.param1'; did you mean 'predict.param1'?",
    ),
    "misspelled parameter": (
        params("param1", "parm1"),
        "params.yaml, line 4: no parameter 'parm1' in node 'predict'; did you mean 'param1'?",
    ),
    "misspelled switch": (
        params("param1", "__enable__"),
        "params.yaml, line 4: no parameter '__enable__' in node 'predict'; did you mean '__enabled__'?",
    ),
    "wrong switch": (
        params("predict.param1: [1, 2]", "predict.__enabled__: maybe"),
        "params.yaml, line 4: predict.__enabled__ is 'maybe'; known: 0, 1, redo",
    ),
    "an output is given": (
        params("param1", "dst"),
        "params.yaml, line 4: 'predict.dst' is an output of node 'predict', not a parameter",
    ),
    "a key without a node": (
        more("  param2: 3\n"),
        "params.yaml, line 5: no node in key 'param2'; a key is <node>.<param>",
    ),
    "a key without a node, no matrix": (
        {"params.yaml": "pipeline: pipe.yaml\nparam1: 3\n"},
        "params.yaml, line 2: no node in key 'param1'; a key is <node>.<param>",
    ),
    "matirx": (
        params("matrix", "matirx"),
        "params.yaml, line 2: no node in key 'matirx'; did you mean 'matrix'?",
    ),
    "matirx beside include": (
        {"params.yaml": PARAMS.replace("matrix", "matirx") + "include: []\n"},
        "params.yaml, line 2: unknown key 'matirx'; did you mean 'matrix'?",
    ),
    "misspelled section": (
        more("inclde: []\n"),
        "params.yaml, line 5: unknown key 'inclde'; did you mean 'include'?",
    ),
    # inputs
    "an input neither given nor connected": (
        params("  predict.src: [a.txt, b.txt]\n", ""),
        "params.yaml: input 'predict.src' is neither given nor connected; give 'predict.src' in the matrix",
    ),
    "a missing input file": (
        params("b.txt", "bb.txt"),
        "params.yaml, line 3: predict.src is '{here}/bb.txt', which does not exist;"
        " did you mean '{here}/b.txt'?",
    ),
    # YAML
    "malformed YAML": (
        params("[1, 2]", "[1, 2"),
        "params.yaml, line 5: malformed YAML: did not find expected ',' or ']'",
    ),
    "a key twice": (
        more("  predict.src: c\n"),
        "params.yaml, line 5: the key 'predict.src' is given twice, first in line 3",
    ),
    "a section twice": (
        more("matrix: {}\n"),
        "params.yaml, line 5: the key 'matrix' is given twice, first in line 2",
    ),
    "an object tag": (
        params("[1, 2]", "!!python/object:os.system {}"),
        "params.yaml, line 4: the tag '!!python/object:os.system' is not allowed",
    ),
    "a file to include that does not exist": (
        params("[1, 2]", "[{__include__: value.yaml}]"),
        "params.yaml, line 4: no such file to include: 'value.yaml'; did you mean 'values.yaml'?",
    ),
    # shapes
    "an empty document": ({"params.yaml": ""}, "params.yaml: the params must be a mapping, not None"),
    "a list": ({"params.yaml": "- 1\n"}, "params.yaml: the params must be a mapping, not [1]"),
    "a word": ({"params.yaml": "3\n"}, "params.yaml: the params must be a mapping, not 3"),
    "an empty matrix": (
        {"params.yaml": "pipeline: pipe.yaml\nmatrix: {}\n"},
        "params.yaml, line 2: the matrix is empty",
    ),
    "no matrix": ({"params.yaml": "pipeline: pipe.yaml\n"}, "params.yaml: the matrix is empty"),
    "a parameter without values": (
        params("[1, 2]", "[]"),
        "params.yaml, line 4: there are no values for 'predict.param1'",
    ),
    "matrix: 3": (
        {"params.yaml": "pipeline: pipe.yaml\nmatrix: 3\n"},
        "params.yaml, line 2: 'matrix' must be a mapping, not 3",
    ),
    "include is a mapping": (
        more("include: {predict.param1: 3}\n"),
        "params.yaml, line 5: 'include' must be a list of mappings, not {'predict.param1': 3}",
    ),
    "pipeline: 3": (
        named("3"),
        "params.yaml, line 1: 'pipeline' must be a name or a mapping, not 3",
    ),
    "slurm_options: 3": (
        more("slurm_options: 3\n"),
        "params.yaml, line 5: 'slurm_options' must be a mapping, not 3",
    ),
    "sample: 3": (more("sample: 3\n"), "params.yaml, line 5: 'sample' must be a mapping, not 3"),
    "exclude takes out everything": (
        more("exclude:\n- predict.src: a.txt\n- predict.src: b.txt\n"),
        "params.yaml: 'exclude' takes out every row",
    ),
    "zip lists of unequal length": (
        more("zip: {evaluate.workers: [1, 2], evaluate.truth: [a.txt]}\n"),
        "params.yaml, line 5: the lists under 'zip' differ in length: 'evaluate.workers' has 2,"
        " 'evaluate.truth' has 1",
    ),
    "a NUL character": (
        params("[1, 2]", '["\\0"]'),
        "params.yaml, line 4: a NUL character cannot be passed to a program",
    ),
    # the name of the pipeline
    "no pipeline": (
        params("pipeline: pipe.yaml\n", ""),
        "params.yaml: no pipeline is given; name it by --pipeline, or by 'pipeline:' in the params",
    ),
    "unknown pipeline": (
        named("nothing"),
        f"pipeline 'nothing': there is no such pipeline; name it as {FORMS}",
    ),
    "unknown module": (
        named("geo.dag.make()"),
        f"pipeline 'geo.dag.make()': no module 'geo.dag'; {INSTALLED}",
    ),
    "misspelled module": (
        named("mien.number()"),
        "pipeline 'mien.number()': no module 'mien'; did you mean 'mine'?",
    ),
    "misspelled module in a package": (
        named("pipelines.dmo.my_demo_pipeline()"),
        "pipeline 'pipelines.dmo.my_demo_pipeline()': no module 'pipelines.dmo';"
        " did you mean 'pipelines.demo'?",
    ),
    "misspelled function": (
        named("mine.numbr()"),
        "pipeline 'mine.numbr()': nothing named 'numbr' in mine; did you mean 'number'?",
    ),
    "misspelled YAML file": (
        named("pip.yaml"),
        "pipeline 'pip.yaml': no such file; did you mean 'pipe.yaml'?",
    ),
    "misspelled Python file": (
        named("mien.py::number()"),
        "pipeline 'mien.py::number()': no such file 'mien.py'; did you mean 'mine.py'?",
    ),
    "an argument that is no literal": (
        named("mine.number(os)"),
        f"pipeline 'mine.number(os)': it cannot be read as {FORMS}",
    ),
    "too many arguments": (
        named("mine.number(3)"),
        "pipeline 'mine.number(3)': it raised: TypeError:"
        " number() takes 0 positional arguments but 1 was given",
    ),
    "no Pipeline": (
        named("mine.number()"),
        "pipeline 'mine.number()': it returned int, not a Pipeline",
    ),
    # what the module does
    "a module that raises on import": (
        named("raising.make()"),
        "pipeline 'raising.make()': it raised on import: ZeroDivisionError: division by zero"
        " ({here}/raising.py, line 2)",
    ),
    "a file that raises on import": (
        named("raising.py::make()"),
        "pipeline 'raising.py::make()': it raised on import: ZeroDivisionError: division by zero"
        " ({here}/raising.py, line 2)",
    ),
    "a module with a syntax error": (
        named("broken.make()"),
        "pipeline 'broken.make()': it raised on import: SyntaxError: invalid syntax"
        " ({here}/broken.py, line 1)",
    ),
    "a module that needs another one": (
        named("needy.make()"),
        "pipeline 'needy.make()': it raised on import: ModuleNotFoundError: No module named 'no_such_package'"
        " ({here}/needy.py, line 1)",
    ),
    "a module that exits": (
        named("leaving.make()"),
        "pipeline 'leaving.make()': it raised on import: SystemExit: 3 ({here}/leaving.py, line 1)",
    ),
    "a function that raises": (
        named("mine.raises()"),
        "pipeline 'mine.raises()': it raised: ValueError: two lines ({here}/mine.py, line 13)",
    ),
    "two nodes of one name": (
        named("mine.two_of_one_name()"),
        "pipeline 'mine.two_of_one_name()': two nodes are named 'p'",
    ),
    "an output escapes in Python": (
        named("mine.escaping()"),
        "pipeline 'mine.escaping()': output 'out' of node 'p' escapes the job directory: '../p.json'",
    ),
    # the pipeline
    "an output escapes the job directory": (
        pipeline("pred.json", "../pred.json"),
        "pipe.yaml: output 'dst' of node 'predict' escapes the job directory: '../pred.json'",
    ),
    "an absolute output": (
        pipeline("pred.json", "/tmp/pred.json"),
        "pipe.yaml: output 'dst' of node 'predict' escapes the job directory: '/tmp/pred.json'",
    ),
    "an output over a file of the job": (
        pipeline("pred.json", "job.log"),
        "pipe.yaml: output 'dst' of node 'predict' would overwrite the job's own 'job.log';"
        " choose another name",
    ),
    "a node twice in YAML": (
        pipeline("  evaluate:", "  predict:"),
        "pipe.yaml, line 7: the key 'predict' is given twice, first in line 2",
    ),
    "a cycle": (
        pipeline("edges: [", "edges: [evaluate.out -> predict.src, "),
        "pipe.yaml: the pipeline has a cycle: predict -> evaluate -> predict",
    ),
    "two sources": (
        pipeline("predict.src -> evaluate.truth", "predict.src -> evaluate.pred"),
        "pipe.yaml: evaluate.pred has two sources: predict.dst and predict.src",
    ),
    "unknown port": (
        pipeline("[predict.dst", "[predict.dts"),
        "pipe.yaml: edge 'predict.dts -> evaluate.pred': node 'predict' has no port 'dts';"
        " did you mean 'dst'?",
    ),
    "unknown node in an edge": (
        pipeline("[predict.dst", "[predit.dst"),
        "pipe.yaml: edge 'predit.dst -> evaluate.pred': no node in 'predit.dst'; did you mean 'predict'?",
    ),
    "a parameter into an input": (
        pipeline("[predict.dst", "[predict.param1"),
        "pipe.yaml: cannot connect param predict.param1 to input evaluate.pred",
    ),
    "misspelled key of a node": (
        pipeline("executable: bash predict.sh", "exectable: bash predict.sh"),
        "pipe.yaml: unknown key 'exectable' in node 'predict'; did you mean 'executable'?",
    ),
    "misspelled key of a pipeline": (
        pipeline("edges", "edge"),
        "pipe.yaml: unknown key 'edge' in the pipeline; did you mean 'edges'?",
    ),
    "a node without an executable": (
        pipeline("    executable: bash predict.sh\n", ""),
        "pipe.yaml: node 'predict' has no executable",
    ),
    "nodes is a list": (
        {"pipe.yaml": "nodes: [1]"},
        "pipe.yaml: a pipeline needs 'nodes', a mapping of name to node",
    ),
    "a node is a number": (
        {"pipe.yaml": "nodes: {a: 3}"},
        "pipe.yaml: node 'a' must be a mapping, not 3",
    ),
    "edges: 3": (
        {"pipe.yaml": "nodes: {a: {executable: x}}\nedges: 3"},
        "pipe.yaml: 'edges' must be a list, not 3",
    ),
    "an edge of another shape": (
        {"pipe.yaml": "nodes: {a: {executable: x}}\nedges: [3]"},
        "pipe.yaml: an edge is 'a.out -> b.in' or {src, dst, gather}, not 3",
    ),
    "an empty pipeline": ({"pipe.yaml": ""}, "pipe.yaml: a pipeline is a mapping with 'nodes' and 'edges'"),
    "a node name with a slash": (
        {"pipe.yaml": "nodes: {a/b: {executable: x}}"},
        "pipe.yaml: node name 'a/b' is not made of letters, digits, '_', '-', '+', '.'",
    ),
    "in_paths: 3": (
        pipeline("[src]", "3"),
        "pipe.yaml: in_paths of node 'predict' must be a list or a mapping, not 3",
    ),
    "out_paths is a list": (
        pipeline("{dst: pred.json}", "[dst]"),
        "pipe.yaml: out_paths of node 'predict' must be a mapping, not ['dst']",
    ),
    "metrics: 3": (
        pipeline("    algo_params", "    metrics: 3\n    algo_params"),
        "pipe.yaml: metrics of node 'predict' must be a list, not 3",
    ),
    "a misspelled objective": (
        pipeline("    algo_params", "    metrics: [{metric: a, objective: maximise}]\n    algo_params"),
        "pipe.yaml: metrics of node 'predict': objective is 'maximise'; did you mean 'maximize'?",
    ),
    "vantage_points: 3": (
        pipeline("    algo_params", "    vantage_points: 3\n    algo_params"),
        "pipe.yaml: vantage_points of node 'predict' must be a list, not 3",
    ),
    "a primary output that is none": (
        pipeline("    algo_params", "    primary_out_key: dts\n    algo_params"),
        "pipe.yaml: primary_out_key of node 'predict' is 'dts'; did you mean 'dst'?",
    ),
    "misspelled group_by": (
        pipeline(GATHERED, GATHERED_BY + "{groupby: [src]}}"),
        "pipe.yaml: unknown key 'groupby' in gather; did you mean 'group_by'?",
    ),
    "group_by: 3": (
        pipeline(GATHERED, GATHERED_BY + "{group_by: 3}}"),
        "pipe.yaml: gather: group_by must be a list, not 3",
    ),
    "group_by names nothing": (
        pipeline(GATHERED, GATHERED_BY + "{group_by: [scr]}}"),
        "predict.dst -> evaluate.pred: group_by names 'scr', which node 'predict' does not have;"
        " did you mean 'src'?",
    ),
    "a class that does not exist": (
        {"pipe.yaml": "nodes: {a: {class: mine.ProcesNode}}"},
        "pipe.yaml: nothing named 'ProcesNode' in mine; did you mean 'ProcessNode'?",
    ),
    "a class that is none": (
        {"pipe.yaml": "nodes: {a: {class: mine.number}}"},
        "pipe.yaml: class of node 'a' is not a ProcessNode: 'mine.number'",
    ),
    "a class whose module raises": (
        {"pipe.yaml": "nodes: {a: {class: raising.Node}}"},
        "pipe.yaml: it raised on import: ZeroDivisionError: division by zero ({here}/raising.py, line 2)",
    ),
}  # fmt: skip

NO_PARAMS = "no params are given; --params takes YAML text or the path of a YAML file"
SCHEDULE = ("schedule", "--params=params.yaml", "--root_dpath=out")

GOOD = "--root_dpath=good"

# a command line -> what it complains of
COMMANDS = {
    # schedule
    SCHEDULE + ("--backend=foo",): "--backend: 'foo' is unknown; known: serial, slurm, tmux",
    SCHEDULE + ("--backend=seriel", "--run=1"): "--backend: 'seriel' is unknown; did you mean 'serial'?",
    SCHEDULE + ("--monitor=inlin",): "--monitor: 'inlin' is unknown; did you mean 'inline'?",
    SCHEDULE + ("--stale=kep",): "--stale: 'kep' is unknown; did you mean 'keep'?",
    SCHEDULE + ("--max_configs=two",):
        "schedule: invalid value for '--max_configs': 'two' is not a whole number from 1 on",
    SCHEDULE + ("--max_configs=0",):
        "schedule: invalid value for '--max_configs': '0' is not a whole number from 1 on",
    SCHEDULE + ("--max_configs",): "option '--max_configs' requires an argument",
    SCHEDULE + ("--max_rows=2",):
        "params.yaml: the matrix has 4 rows, more than 2; if that is meant, add --max_rows=4",
    SCHEDULE + ("--run=maybe",): "schedule: invalid value for '--run': 'maybe' is not 0|1",
    SCHEDULE + ("--print_queue=maybe",):
        "schedule: invalid value for '--print_queue': 'maybe' is not 0|1|auto",
    SCHEDULE + ("--skip_exsting=1",):
        "schedule: no such option '--skip_exsting'; did you mean '--skip_existing'?",
    SCHEDULE + ("--skip-exsting",):
        "schedule: no such option '--skip_exsting'; did you mean '--skip_existing'?",
    SCHEDULE + ("--enable_pred_trk_pxl=1",):
        "schedule: no such option '--enable_pred_trk_pxl';"
        " a node is switched off in the params, by `<node>.__enabled__: 0`",
    SCHEDULE + ("out",): "schedule: got unexpected extra argument (out)",
    SCHEDULE + ("--slurm_options=3",): "--slurm_options: must be a mapping, not 3",
    SCHEDULE + ("--slurm_options={a: b",):
        "--slurm_options, line 2: malformed YAML: did not find expected ',' or '}'",
    SCHEDULE + ("--pipeline=mine.number()",): "--pipeline: the params name another pipeline, 'pipe.yaml'",
    ("schedule", "--params=params.yaml", "--root_dpath=a.txt"):
        "--root_dpath: '{here}/a.txt' is a file, not a folder",
    ("schedule", "--params=params.yaml", "--root_dpath=a.txt/out"):
        "--root_dpath: '{here}/a.txt' is a file, not a folder",
    ("schedule", "--params=params.yaml", "--root_dpath="): "--root_dpath: the root has no name",
    ("schedule",): NO_PARAMS,
    ("schedule", "--pipeline=pipe.yaml"): NO_PARAMS,
    ("schedule", "--params=param.yaml"): "no such params file 'param.yaml'; did you mean 'params.yaml'?",
    ("schedule", "--params=params"): "no such params file 'params'; did you mean 'params.yaml'?",
    ("schedule", "--params=empty"): "empty: this is a folder, not a params file",
    ("schedule", "--params=[1, 2]"): "params: the params must be a mapping, not [1, 2]",
    # aggregate
    ("aggregate",): "target: no target is given",
    ("aggregate", "--target=god"): "god: no such folder or table; did you mean 'good'?",
    ("aggregate", "god"): "god: no such folder or table; did you mean 'good'?",
    ("aggregate", "--target=nowhere"): "nowhere: no such folder or table",
    ("aggregate", "--target=empty"): "{here}/empty: no jobs below it",
    ("aggregate", "--target=a.txt"): "a.txt: this is a file, not the root folder of a run; "
        "nor is it a table, which would end in .csv, .parquet, .xlsx",
    ("aggregate", "--target={a: 1}"): "--target: must be a name or a list of names, not {'a': 1}",
    ("aggregate", "--target=good", "--eval_nodes=scroe"):
        "eval_nodes: no node 'scroe'; did you mean 'score'?",
    ("aggregate", "--target=good", "--eval_nodes=3"):
        "--eval_nodes: must be a name or a list of names, not 3",
    ("aggregate", "--target=good", "--pipeline=nope.nope()"):
        f"pipeline 'nope.nope()': no module 'nope'; {INSTALLED}",
    ("aggregate", "--target=good", "--pipeline=pipe.yaml"):
        "{here}/good: its jobs are of score, which the pipeline does not have;"
        " the pipeline has predict, evaluate",
    ("aggregate", "--target=good", "--stdout_report=3"):
        "--stdout_report: must be 0, 1 or a mapping, not 3",
    ("aggregate", "--target=good", "--stdout_report={topk: 3}"):
        "stdout_report: no option 'topk'; did you mean 'top_k'?",
    ("aggregate", "--target=good", "--stdout_report={top_k: x}"):
        "stdout_report: top_k is a whole number above 0 or null, not 'x'",
    ("aggregate", "--target=good", "--io_workers=two"):
        "--io_workers: must be a whole number from 0 on, not 'two'",
    ("aggregate", "--target=good", "--evl_nodes=score"):
        "aggregate: no such option '--evl_nodes'; did you mean '--eval_nodes'?",
    ("aggregate", "--target=good", "--primary_metric_cols=ac"):
        "primary_metric_cols: no metric 'ac'; did you mean 'acc'?",
    ("aggregate", "--target=good", "--export_tables=xls"):
        "export_tables: cannot export 'xls'; did you mean 'xlsx'?",
    ("aggregate", "--target=good", "--export_tables=xlsx,pdf"):
        "export_tables: cannot export 'pdf'; known: csv, excel, latex, markdown, md, parquet, tex, xlsx",
    ("aggregate", "--target=good", "--plot_params=pgn"):
        "plot_params: no format 'pgn'; did you mean 'png'?",
    ("aggregate", "--target=good", "--states=fialed"):
        "states: no state 'fialed'; did you mean 'failed'?",
    ("aggregate", "--target=good", "--since=yesterday"):
        "since: 'yesterday' is no date; such as 2026-11-21, 2026-11-21T13:30 or 2d for two days ago",
    ("aggregate", "--target=good", "--rois=east"): "rois: no region 'east'; known: unknown",
    ("aggregate", "--target=good", "--query=acc >"):
        "query: cannot evaluate 'acc >': invalid syntax (<unknown>, line 1)",
    # status
    ("status",): "./kwdag_output: no such folder",
    ("status", "god"): "god: no such folder; did you mean 'good'?",
    ("status", "a.txt"): "a.txt: this is a file, not the root folder of a run",
    ("status", "empty"): "{here}/empty: no jobs below it; kwdag schedule --run=1 makes some",
    ("status", "good", "--lines=x"):
        "status: invalid value for '--lines': 'x' is not a whole number from 0 on",
    ("status", "good", "--line=3"): "status: no such option '--line'; did you mean '--lines'?",
    # single jobs
    ("why",): "why: missing argument 'JOB'",
    ("why", "abc"): "./kwdag_output: no such folder",
    ("why", "abc", "--root_dpath=god"): "god: no such folder; did you mean 'good'?",
    ("why", "abc", "--root_dpath=a.txt"): "a.txt: this is a file, not the root folder of a run",
    ("why", "abc", "--root_dpath=empty"): "empty: no job 'abc'; there are none",
    ("why", "scroe", GOOD): "good: no job 'scroe'; did you mean score_id_rdsm6kcolzxiv?",
    ("why", "xyzzy", GOOD): "good: no job 'xyzzy'; the jobs are of score",
    ("why", "score", GOOD, "--params=param.yaml"):
        "no such params file 'param.yaml'; did you mean 'params.yaml'?",
    ("why", "score", GOOD, "--line=3"):
        "why: no such option '--line'; did you mean one of '--lines', '--pipeline'?",
    ("logs",): "logs: missing argument 'JOB'",
    ("logs", "xyzzy", GOOD): "good: no job 'xyzzy'; the jobs are of score",
    ("logs", "good/score"): "{here}/good/score: this is no job directory",
    ("run",): "run: missing argument 'JOB'",
    ("run", "xyzzy", GOOD): "good: no job 'xyzzy'; the jobs are of score",
    ("diff", "score", GOOD): "diff: missing argument 'OTHER'",
    ("diff", "score", "xyzzy", GOOD): "good: no job 'xyzzy'; the jobs are of score",
    # cancel, clean
    ("cancel",): "./kwdag_output: no such folder",
    ("cancel", "god"): "god: no such folder; did you mean 'good'?",
    ("cancel", "a.txt"): "a.txt: this is a file, not the root folder of a run",
    ("clean",): "nothing is chosen; say --failed, --stale or --unwanted",
    ("clean", "good"): "nothing is chosen; say --failed, --stale or --unwanted",
    ("clean", "god", "--failed"): "god: no such folder; did you mean 'good'?",
    ("clean", "empty", "--failed"): "{here}/empty: no jobs below it; kwdag schedule --run=1 makes some",
    ("clean", "good", "--unwanted"):
        "--unwanted: the params that are still wanted are needed; give them by --params, as often as there"
        " are some",
    ("clean", "good", "--unwanted", "--run=1", "--params=param.yaml"):
        "no such params file 'param.yaml'; did you mean 'params.yaml'?",
    ("clean", "good", "--faild"): "clean: no such option '--faild'; did you mean '--failed'?",
    # inspect
    ("inspect",): "inspect: missing argument 'PIPELINE'",
    ("inspect", "nothing"):
        f"pipeline 'nothing': there is no such pipeline; name it as {FORMS}",
    ("inspect", "pip.yaml"): "pipeline 'pip.yaml': no such file; did you mean 'pipe.yaml'?",
    ("inspect", "mine.two_of_one_name()"): "pipeline 'mine.two_of_one_name()': two nodes are named 'p'",
    ("inspect", "raising.make()"):
        "pipeline 'raising.make()': it raised on import: ZeroDivisionError: division by zero"
        " ({here}/raising.py, line 2)",
    ("inspect", "pipe.yaml", "--yml"): "inspect: no such option '--yml'; did you mean '--yaml'?",
    # the others
    ("schedul",): "no command 'schedul'; did you mean 'schedule'?",
    ("foo",):
        "no command 'foo'; kwdag --help lists them",
    ("--verzion",): "no such option '--verzion'; did you mean '--version'?",
    ("completion", "tcsh"):
        "completion: invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', 'zsh', 'fish'",
    ("demo", "a.txt/b"): "a.txt/b: cannot write there: Not a directory",
}  # fmt: skip

RUN = SCHEDULE + ("--run=1",)
#: A node that asks for a GPU.
GREEDY = pipeline("    perf_params", "    resources: {gpus: 1}\n    perf_params")

# a backend: files, options of the command line, what it complains of
ON_TMUX = {
    "a name that tmux cannot take": (
        {}, "--queue_name=a.b",
        "--queue_name: tmux cannot take the name 'a.b'; use letters, digits, '_' and '-'",
    ),
    "a name that is none": (
        {}, "--queue_name=",
        "--queue_name: tmux cannot take the name ''; use letters, digits, '_' and '-'",
    ),
    "no workers": (
        {}, "--tmux_workers=0",
        "schedule: invalid value for '--tmux_workers' / '--queue_size': '0' is not a whole number from 1 on",
    ),
    "a misspelled handler": (
        {}, "--other_session_handler=kil",
        "--other_session_handler: no handler 'kil'; did you mean 'kill'?",
    ),
    "a device that does not exist": (GREEDY, "--devices=77", "--devices: there is no device '77'"),
}  # fmt: skip
MISSPELLED = "slurm_options: sbatch has no option 'partiton'; did you mean 'partition'?"
NO_PARTITION = "sbatch refuses --partition=nowhere: invalid partition specified: nowhere"
ON_SLURM = {
    "misspelled on the command line": ({}, "--slurm_options={partiton: main}", MISSPELLED),
    "misspelled in the params": (more("slurm_options: {partiton: main}\n"), "", MISSPELLED),
    "misspelled in a row": (more("  predict.__slurm_options__: [{partiton: main}]\n"), "", MISSPELLED),
    "misspelled in a node": (
        pipeline("    perf_params", "    slurm_options: {partiton: main}\n    perf_params"), "", MISSPELLED,
    ),
    "not the user's to set": (
        {}, "--slurm_options={output: x}", "slurm_options: 'output' is set by kwdag itself",
    ),
    "an unknown partition": (
        {}, "--slurm_options={partition: nowhere}", f"slurm_options of node 'predict': {NO_PARTITION}",
    ),
    "an unknown partition of a node": (
        pipeline("    perf_params", "    slurm_options: {partition: nowhere}\n    perf_params"), "",
        f"slurm_options of node 'evaluate': {NO_PARTITION}",
    ),
    "an unknown partition of a row": (
        more("  evaluate.__slurm_options__: [{partition: nowhere}]\n"), "",
        f"slurm_options of node 'evaluate': {NO_PARTITION}",
    ),
    "a value that sbatch refuses": (
        {}, "--slurm_options={time: soon}",
        "slurm_options of node 'predict': sbatch refuses --time=soon: invalid --time specification",
    ),
    "a device that does not exist": (
        GREEDY, "",
        "slurm_options of node 'evaluate': sbatch refuses --gres=gpu:1:"
        " invalid generic resource (gres) specification",
    ),
    "no jobs in a task": (
        {}, "--slurm_pack=0",
        "schedule: invalid value for '--slurm_pack': '0' is not a whole number from 1 on",
    ),
}  # fmt: skip
ABSENT = {
    "tmux": "--backend=tmux: tmux is not installed; --backend=serial needs nothing",
    "slurm": "--backend=slurm: sbatch is not installed; run on a machine of the cluster,"
    " or use --backend=tmux",
}

NEED_A_RUN = ("aggregate", "status", "why", "logs", "run", "diff", "cancel", "clean")
SCORE = """\
pipeline:
  nodes:
    score:
      executable: bash score.sh
      out_paths: {out: score.json}
      algo_params: [a]
matrix: {score.a: 1}
"""


@pytest.fixture
def here(folder):
    """A folder with a pipeline, its params, user modules that do not work and a run that does."""
    files = {"pipe.yaml": PIPELINE, "params.yaml": PARAMS, "values.yaml": "[1]", "a.txt": "a", "b.txt": "b"}
    files["score.sh"] = """echo '{"metrics": {"acc": 1}}' > "${1#--out=}"\n"""
    for name, text in (files | CODE).items():
        (folder / name).write_text(text)
    (folder / "empty").mkdir()
    return folder


def complaint(result, here) -> str:
    assert (result.code, result.out) == (2, "")
    lines = result.err.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("kwdag: ").replace(str(here), "{here}")


@pytest.mark.parametrize("run", [0, 1], ids=["dry", "run"])
@pytest.mark.parametrize(("files", "expected"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_bad_document_is_refused(kwdag, here, files, expected, run):
    for name, text in files.items():
        (here / name).write_text(text)
    before = tree(here)
    assert (
        complaint(kwdag("schedule", "--params=params.yaml", "--root_dpath=out", f"--run={run}"), here)
        == expected
    )
    assert tree(here) == before


@pytest.mark.parametrize(("argv", "expected"), COMMANDS.items(), ids=map(" ".join, COMMANDS))
def test_a_bad_command_is_refused(kwdag, here, argv, expected):
    if argv[0] in NEED_A_RUN:
        assert kwdag("schedule", "--root_dpath=good", "--run=1", f"--params={SCORE}").code == 0
    before = tree(here)
    assert complaint(kwdag(*argv), here) == expected
    assert tree(here) == before


@pytest.mark.parametrize(("backend", "expected"), ABSENT.items(), ids=ABSENT)
def test_a_backend_that_is_not_installed(kwdag, here, monkeypatch, backend, expected):
    monkeypatch.setenv("PATH", str(here / "empty"))
    before = tree(here)
    assert complaint(kwdag(*RUN, f"--backend={backend}"), here) == expected
    assert tree(here) == before


def refused(kwdag, here, backend, case):
    """Run it; the complaint, when nothing was written."""
    files, option, _ = case
    for name, text in files.items():
        (here / name).write_text(text)
    before = tree(here)
    said = complaint(kwdag(*RUN, *backend.words, *filter(None, [option])), here)
    assert tree(here) == before
    return said


@pytest.mark.parametrize("backend", [TMUX], indirect=True)
@pytest.mark.parametrize("case", ON_TMUX.values(), ids=ON_TMUX)
def test_what_tmux_cannot_do(kwdag, here, backend, case):
    # Of a device it also says which ones this machine has.
    assert refused(kwdag, here, backend, case).partition("; this machine")[0] == case[-1]
    assert subprocess.run(["tmux", "list-sessions"], capture_output=True).stdout == b""


@pytest.mark.parametrize("backend", [SLURM], indirect=True)
@pytest.mark.parametrize("case", ON_SLURM.values(), ids=ON_SLURM)
def test_what_slurm_cannot_do(kwdag, here, backend, slurm_jobs, case):
    assert refused(kwdag, here, backend, case) == case[-1]
    assert slurm_jobs.call("squeue", "--noheader") == ""


@pytest.mark.parametrize("backend", [SLURM], indirect=True)
def test_what_only_the_submission_finds_out_leaves_nothing_in_the_queue(kwdag, here, backend, slurm_jobs):
    """No job of ours could ever have that much memory; but while nodes are down Slurm says so of all jobs."""
    found = kwdag(*RUN, *backend.words, "--slurm_options={mem: 900G}", "--slurm_pack=1")
    said = "kwdag: sbatch: batch job submission failed: Requested node configuration is not available\n"
    assert (found.code, found.err) == (2, said)
    assert slurm_jobs.call("squeue", "--noheader") == ""


def test_inline_params_are_named_by_their_line(kwdag, here):
    result = kwdag(
        "schedule", "--root_dpath=out", "--params", PARAMS.replace("predict.param1", "predict.parm1")
    )
    expected = "params, line 4: no parameter 'parm1' in node 'predict'; did you mean 'param1'?"
    assert complaint(result, here) == expected


def test_a_root_that_is_there_is_left_as_it_is(kwdag, here):
    kwdag("schedule", "--root_dpath=good", "--run=1", f"--params={SCORE}")
    before = tree(here)
    result = kwdag(
        "schedule", "--root_dpath=good", "--run=1", "--params", SCORE.replace("score.a", "score.b")
    )
    assert complaint(result, here).startswith("params, line 7: no parameter 'b' in node 'score'")
    assert tree(here) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_root_is_refused(kwdag, here):
    (here / "empty").chmod(0o500)
    result = kwdag("schedule", "--params=params.yaml", "--root_dpath=empty/out")
    assert complaint(result, here) == "--root_dpath: cannot write in '{here}/empty'"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
def test_a_root_that_cannot_be_made_is_refused(kwdag, here):
    result = kwdag("schedule", "--params=params.yaml", "--root_dpath=/proc/kwdag/out", "--run=1")
    assert complaint(result, here).startswith("--root_dpath: cannot ")
    assert "'/proc" in result.err


WARNED = {
    "exclude:\n- predict.param1: 3\n": "params.yaml, line 6: this 'exclude' entry matches no row",
    "include:\n- predict.param1: 3\n  predict.src: a.txt\n":
        "params.yaml, line 6: this 'include' entry extends no row, it adds one of its own",
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WARNED.items(), ids=["exclude", "include"])
def test_what_has_no_effect_is_warned_of(kwdag, here, text, expected):
    (here / "params.yaml").write_text(PARAMS + text)
    result = kwdag("schedule", "--params=params.yaml", "--root_dpath=out")
    assert result.code == 0
    assert f"warning     {expected}" in result.out.splitlines()


@pytest.mark.parametrize("case", ["a module that raises on import", "matirx", "a missing input file"])
def test_the_same_from_a_shell(here, case):
    files, expected = DOCUMENTS[case]
    for name, text in files.items():
        (here / name).write_text(text)
    argv = [sys.executable, "-m", "kwdag", "schedule", "--params=params.yaml", "--root_dpath=out", "--run=1"]
    found = subprocess.run(argv, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == f"kwdag: {expected.replace('{here}', str(here))}\n"
    assert not (here / "out").exists()
