"""From the name of a pipeline to the pipeline: code, a file, or data.

Calls are read, not evaluated: their arguments can only be literals.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kwdag import yaml_pipeline
from kwdag.errors import PipelineError
from kwdag.importing import attribute, guarded, import_file, import_module
from kwdag.pipeline import Pipeline
from kwdag.sources import neighbour

FORMS = "package.module.function(), path/to/file.py::function(), a .yaml file or a mapping with 'nodes'"


def load_pipeline(ref: Any) -> Pipeline:
    """Find the pipeline that a reference names, and check it.

    Args:
        ref: a Pipeline, a mapping, or text: `package.module.function()`, `path/to/file.py::function()`,
            a `.yaml` file, or YAML text.

    Raises:
        PipelineError: naming the reference and what is wrong with it.
    """
    with _located(_place(ref)):
        pipeline = _load(ref)
        pipeline.wiring()
    return pipeline


def load_recorded(record: Mapping[str, Any]) -> Pipeline:
    """The pipeline that a run recorded as `{pipeline, workdir}`, for a caller in whatever folder.

    Raises:
        PipelineError: it cannot be found any more.
    """
    ref, workdir = record["pipeline"], record.get("workdir")
    if isinstance(ref, str) and workdir and "\n" not in ref:
        if (ref.rpartition("::")[0] or ref).endswith((".py", *_DATA_FILES)):
            ref = os.path.join(workdir, ref)
        elif workdir not in sys.path:
            sys.path.append(workdir)
    return load_pipeline(ref)


def _place(ref: Any) -> str:
    text = ref.strip() if isinstance(ref, str) else ""
    if not text or "\n" in text or text.startswith("{"):
        return "pipeline"
    return text if text.endswith(_DATA_FILES) and os.path.isfile(text) else f"pipeline {text!r}"


@contextmanager
def _located(place: str) -> Iterator[None]:
    """Say of every error without a place of its own which pipeline it is about."""
    try:
        yield
    except PipelineError as error:
        raise PipelineError(error.message, where=error.where or place, hint=error.hint) from None


_DATA_FILES = (".yaml", ".yml", ".json")


def _load(ref: Any) -> Pipeline:
    if isinstance(ref, Pipeline):
        return ref
    if isinstance(ref, Mapping):
        return yaml_pipeline.from_spec(ref)
    text = os.fspath(ref).strip() if isinstance(ref, str | os.PathLike) else ""
    if not text:
        raise PipelineError(f"a pipeline is named as {FORMS}, not {ref!r}")
    if "\n" in text or text.startswith("{"):
        return _from_yaml_text(text, "pipeline")
    if text.endswith(_DATA_FILES):
        return _from_yaml_file(text)
    return _from_code(text)


def _from_yaml_file(path: str) -> Pipeline:
    if not os.path.isfile(path):
        raise PipelineError("no such file", hint=neighbour(Path(path)))
    return _from_yaml_text(Path(path).read_text(encoding="utf-8"), path)


def _from_yaml_text(text: str, name: str) -> Pipeline:
    from kwdag.yamlio import load_yaml

    document = load_yaml(text, name)
    if not isinstance(document.data, Mapping):
        raise PipelineError("a pipeline is a mapping with 'nodes' and 'edges'")
    return yaml_pipeline.from_spec(document.data)


def _from_code(text: str) -> Pipeline:
    source, name, args, kwargs = _read_call(text)
    module = import_file(source) if source.endswith(".py") else import_module(source)
    function: Any = attribute(module, name, source)
    made = (
        function if isinstance(function, Pipeline) else guarded(lambda: function(*args, **kwargs), "raised")
    )
    if not isinstance(made, Pipeline):
        raise PipelineError(f"it returned {type(made).__name__}, not a Pipeline")
    return made


def _read_call(text: str) -> tuple[str, str, list[Any], dict[str, Any]]:
    """Split `<module or file>(.|::)<function>(<literals>)`; the parentheses may be left out."""
    file, separator, call = text.rpartition("::")
    try:
        tree = ast.parse(call, mode="eval").body
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if isinstance(tree, ast.Call):
            args = [ast.literal_eval(arg) for arg in tree.args]
            kwargs = {str(item.arg): ast.literal_eval(item.value) for item in tree.keywords}
            tree = tree.func
        module, _, function = ast.unparse(tree).rpartition(".")
    except (SyntaxError, ValueError):
        raise PipelineError(f"it cannot be read as {FORMS}") from None
    if separator:
        return file, function, args, kwargs
    if not module:
        raise PipelineError("there is no such pipeline", hint=f"name it as {FORMS}")
    return module, function, args, kwargs
