"""`kwdag(...)`: a command line run in this process, in a folder of its own, as a user would call it."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kwdag.cli import main


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder of a test; modules that are imported from it are forgotten afterwards."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield here
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(here)):
            del sys.modules[name]


@pytest.fixture
def kwdag(folder, capsys):
    """Call a command; the result has its exit code, output and complaints."""

    def call(*argv: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(list(map(str, argv)))
        out, err = capsys.readouterr()
        return Result(caught.value.code, out, err)

    return call


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder: path -> (mtime, content)."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


PIPELINE = """\
nodes:
  predict:
    executable: bash predict.sh
    in_paths: [src]
    out_paths: {dst: pred.txt}
    algo_params: {level: 1}
  evaluate:
    executable: bash evaluate.sh
    in_paths: [pred, truth]
    out_paths: {out: eval.json}
    perf_params: {workers: 0}
    metrics: [{metric: size, objective: maximize, primary: true, display: true}]
edges: [predict.dst -> evaluate.pred, predict.src -> evaluate.truth]
"""
PARAMS = """\
pipeline: pipe.yaml
matrix:
  predict.src: [a.txt, b.txt]
  predict.level: [1, 22]
"""
VALUES = 'for word; do key=${word%%=*}; declare "${key#--}=${word#*=}"; done\n'
PROGRAMS = {
    "predict.sh": VALUES + 'echo "reading $src"; cat "$src" > "$dst" && echo "$level" >> "$dst"\n',
    "evaluate.sh": VALUES + """echo "{\\"metrics\\": {\\"size\\": $(wc -c < "$pred")}}" > "$out"\n""",
    # an evaluation that fails at level 22
    "picky.sh": VALUES + "if grep -q 22 $pred; then echo 'level 22 is too high' >&2; exit 3; fi\n"
    'echo \'{"metrics": {"size": 1}}\' > $out\n',
}


@pytest.fixture
def project(folder):
    """A folder with a pipeline of two bash programs, and params with four rows: eight jobs."""
    files = {"pipe.yaml": PIPELINE, "params.yaml": PARAMS, "a.txt": "a\n", "b.txt": "bb\n"}
    for name, text in (files | PROGRAMS).items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def golden(folder):
    """Compare a text with tests/cli/golden/<name>.txt; KWDAG_GOLDEN=1 writes it instead."""

    def check(name: str, text: str) -> None:
        path = Path(__file__).with_name("golden") / f"{name}.txt"
        text = scrubbed(text, folder)
        if os.environ.get("KWDAG_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()

    return check


def scrubbed(text: str, folder: Path) -> str:
    """Without what differs from run to run: the folder, ids and hashes, times, and the Python."""
    text = text.replace(str(folder), "{here}").replace(sys.executable, "{python}")
    text = re.sub(r"_id_[a-z2-7]{13}\b", "_id_{id}", text)
    text = re.sub(r"(?<=')[a-z]{12}(?=': \{)|(?<=unknown )[a-z]{12}\b", "{hashid}", text)
    text = re.sub(r"-[0-9a-f]{8}\.sh", "-{hash}.sh", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "{when}", text)
    text = re.sub(r"\b[\d.]+ [kM]?B\b", "{size}", text).replace(f"on {os.uname().nodename},", "on {host},")
    return re.sub(r"\b\d+\.\d\d s", "{time} s", text)
