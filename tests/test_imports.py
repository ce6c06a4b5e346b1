"""The layering of the design: an import points only to the left along the stages, and never in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent

#: Every module of kwdag, from left to right: each may import those before it. A new module finds its place.
ORDER = """
    version  errors  units  kwdag
    regular  jobdir  leases  claims  processes  journal  stamps  hashing  draw      what every stage may use
    yamlio  sources  importing  params  matrix                                   params YAML -> rows
    loading  kwdagger_compat  ports  node  pipeline  yaml_pipeline  pipeline_ref        pipelines
    render  plan  grid  gather  scatter  resolve                                 rows -> plan
    contract  script  tasks  bash_script  state  select  again  durations      plan -> what to do, and why
    signals  child  surroundings  cgroups
    worker  runs  backends.base  backends.store  backends.shares  backends.drain       run it
    asked  backends.serial  backends.tmux
    backends.slurm_plan  backends.slurm_cli  backends.slurm_files  backends.slurm_flight
    backends.slurm_submit  backends.slurm_more  backends.slurm_worker  backends.slurm_task
    backends.slurm_watch  backends.slurm
    request  outlook  backends  scheduling  rounds  drainer  backends.slurm_next
    inventory  records  unstarted
    export  export.planned  export.uploads  export.container  export.sagemaker  export.cloudformation
    cells  columns  excel  exports  exported  forked  job_reading  result_cache      job directories -> tables
    results  targets  load_runs  region_names  roles  metrics  ranking  query  filters  resources
    pareto  settled  blocks  ranktests  comparing  effects  interactions  support      statistics
    report  report.labels  report.tables  report.wording  report.options  report.boards  report.varied
    report.params_text  report.places_text  report.support_text  report.effects_text  report.text
    report.resource_text
    report.plots.canvas  report.plots.view  report.plots.marks  report.plots.heatmap  report.plots.parallel
    report.plots.params  report.plots.resources  report.plots.vantage  report.plots
    report.html.libraries  report.html.encode  report.html.links  report.html.dag  report.html.timeline
    report.html.summary  report.html.page  report.html
    symlinks  publish  aggregation      tables -> report
    find_job  explain  compare  cancel  clean  follow  by_hand  find_row  row_files
    tolerance  compare_rows  reproduced  symptoms  culprits  failures      runs beside runs; failures
    report.row_text  report.compare_text  report.failures_text  report.bar
    report.inspect_text  report.watch  report.control_text  report.progress  report.schedule_text
    report.status_text  observe
    cli.options  cli.job_args  cli.compare_cmd  cli.failures_cmd
    cli.cancel_cmd  cli.clean_cmd  cli.diff_cmd  cli.export_cmd  cli.logs_cmd  cli.run_cmd
    cli.why_cmd  cli.aggregate_cmd  cli.completion_cmd  cli.demo_cmd  cli.inspect_cmd  cli.schedule_cmd
    cli.status_cmd  cli  __main__
"""


def places():
    lines = (line.strip().split("   ")[0].split("  ") for line in ORDER.strip().splitlines())
    names = [name.strip() for line in lines for name in line if name.strip()]
    return {name if name == "kwdag" else f"kwdag.{name}": place for place, name in enumerate(names)}


def modules():
    """Module name -> its file, of both packages."""
    files = [path for package in ("kwdag", "pipelines") for path in sorted((TOP / package).rglob("*.py"))]
    return {
        ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }


MODULES = modules()


def imported(name):
    """Modules of ours that a module imports anywhere, those for type checkers alone not counted."""
    tree = ast.parse(MODULES[name].read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= members & MODULES.keys() or {node.module}
    return {module for module in found if module in MODULES} - {name}


KWDAG = sorted(name for name in MODULES if name.partition(".")[0] == "kwdag")


def test_every_module_has_its_place():
    assert places().keys() == set(KWDAG)


@pytest.mark.parametrize("name", sorted(places().keys() & set(KWDAG)))
def test_an_import_points_to_the_left(name):
    order = places()
    wrong = [other for other in imported(name) if order.get(other, len(order)) > order[name]]
    # completing and demonstrating run the command line itself, from inside a command
    allowed = {"kwdag.cli"} if name in ("kwdag.cli.completion_cmd", "kwdag.cli.demo_cmd") else set()
    assert set(wrong) <= allowed, f"{name} imports {wrong}, which stand to its right"


def test_nobody_imports_the_command_line():
    importers = {name for name in MODULES if any(m.startswith("kwdag.cli") for m in imported(name))}
    assert all(name.startswith("kwdag.cli") or name == "kwdag.__main__" for name in importers)


def test_kwdag_never_imports_pipelines():
    for name in KWDAG:
        assert not [other for other in imported(name) if other.startswith("pipelines")], name


PURE = ("matrix", "params", "pipeline", "plan", "grid", "gather", "scatter", "resolve", "render", "hashing",
        "select", "region_names", "roles", "metrics", "ranking", "filters", "pareto", "settled", "blocks",
        "comparing", "effects", "interactions", "support", "ranktests", "compare_rows", "symptoms",
        "culprits", "export.container", "export.sagemaker", "export.cloudformation")  # fmt: skip


@pytest.mark.parametrize("name", PURE)
def test_the_pure_stages_import_nothing_that_acts(name):
    tree = ast.parse(MODULES[f"kwdag.{name}"].read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not names & {"subprocess", "shutil", "signal", "socket", "tempfile"}


def test_importing_kwdag_costs_nothing():
    heavy = "pandas", "numpy", "scipy", "networkx", "yaml", "rich", "click", "cmd_queue", "ubelt"
    program = f"import sys, kwdag; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_scheduling_loads_no_pandas():
    program = "import sys, kwdag; kwdag.schedule; print('pandas' in sys.modules, 'networkx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_every_public_name_can_be_imported():
    import kwdag

    for name in dir(kwdag):
        assert getattr(kwdag, name) is not None or name.startswith("__")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kwdag.nothing
