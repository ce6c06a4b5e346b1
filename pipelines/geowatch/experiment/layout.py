"""The one module that knows where things lie in an experiment folder, and how they are named.

    training/<host>/<user>/<dataset code>/runs/<expt>/...   checkpoints (.ckpt) and packages (.pt) of training
    models/fusion/<dataset code>/packages/<expt>/<model>.pt
    models/fusion/<dataset code>/pred/<expt>/<model>/...     roots of kwdag runs; not versioned
    models/fusion/<dataset code>/eval/<expt>/<model>/...     evaluations

What state those are in is read in inventory.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput

MODELS = Path("models") / "fusion"
PACKAGE = ".pt"
#: File -> what it evaluates, or predicts, when no job directory says it better.
EVALUATIONS = {"pxl_eval.json": "pxl", "poly_eval.json": "poly"}
PREDICTIONS = {"pred.kwcoco.zip": "pxl", "pred.kwcoco.json": "pxl", "sites_manifest.json": "poly"}

_JOB = re.compile(r"(?P<node>[\w.]+?)(_eval)?_id_[a-z2-7]+")
_CHECKPOINT = re.compile(r"epoch=?(?P<epoch>\d+)([-_]step=?(?P<step>\d+))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which models are meant; a pattern has `*`, `?` and `[...]` as in a shell.

    Attributes:
        models: patterns of names of models, with or without `.pt`; one that fits is enough.
        dataset_codes: patterns of folders; none means all.
    """

    models: tuple[str, ...] = ("*",)
    dataset_codes: tuple[str, ...] = ()

    def has_model(self, model: str) -> bool:
        names = model, model + PACKAGE
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.models)

    def has_code(self, code: str) -> bool:
        return not self.dataset_codes or any(fnmatchcase(code, one) for one in self.dataset_codes)


def selection(model_pattern: str, dataset_codes: tuple[str, ...], folder: Path) -> Selection:
    """What the options ask for; a model pattern may be a `.txt` file of patterns or paths, one a line.

    Raises:
        BadInput: the list cannot be read, or a dataset code is not there.
    """
    known = set(codes(folder))
    for code in dataset_codes:
        if not any(fnmatchcase(one, code) for one in known):
            hint = did_you_mean(code, known)
            raise BadInput(f"no dataset code {code!r} in {folder}", "--dataset_codes", hint)
    if not model_pattern.endswith(".txt"):
        return Selection((model_pattern,), dataset_codes)
    try:
        lines = Path(model_pattern).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read the list {model_pattern} ({error})", "--model_pattern") from None
    return Selection(tuple(Path(line.strip()).name for line in lines if line.strip()), dataset_codes)


def codes(folder: Path) -> list[str]:
    """The dataset codes that have models or training."""
    found = [*folders(folder / MODELS), *(run.parent.parent for run in training_runs(folder))]
    return sorted({one.name for one in found})


def folders(folder: Path) -> list[Path]:
    """The folders in a folder in order of their names, without hidden ones; none when it is not there."""
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))


def training_runs(folder: Path) -> list[Path]:
    """`training/<host>/<user>/<dataset code>/runs/<expt>`."""
    return sorted(one for one in (folder / "training").glob("*/*/*/runs/*") if one.is_dir())


def package_dpath(folder: Path, code: str, expt: str) -> Path:
    return folder / MODELS / code / "packages" / expt


def prediction_dpath(folder: Path, code: str, expt: str, model: str) -> Path:
    return folder / MODELS / code / "pred" / expt / model


def evaluation_dpath(folder: Path, code: str, expt: str, model: str) -> Path:
    return folder / MODELS / code / "eval" / expt / model


def model_name(file: str) -> str:
    """
    >>> model_name("Drop4_BAS_epoch=31-step=16384.pt")
    'Drop4_BAS_epoch=31-step=16384'
    """
    return file.removesuffix(PACKAGE)


def package_name(expt: str, file: Path) -> str:
    """The name of a package among those of its experiment, for a package or a checkpoint of training.

    It says which experiment it is of, and which job has made it: every job of a grid makes a `model.pt`.

    >>> package_name("V2", Path("epoch=3-step=9.ckpt")), package_name("V2", Path("V2_epoch=3-step=9.pt"))
    ('V2_epoch=3-step=9.pt', 'V2_epoch=3-step=9.pt')
    >>> package_name("V2", Path("fit/fit_id_abc/model.pt"))
    'V2_fit_id_abc.pt'
    """
    name = file.parent.name if _JOB.fullmatch(file.parent.name) else file.name.removesuffix(file.suffix)
    return (name if name.startswith(expt) else f"{expt}_{name}") + PACKAGE


def epoch_and_step(file: str) -> tuple[int | None, int | None]:
    """
    >>> epoch_and_step("V2_epoch=31-step=16384-v1.ckpt"), epoch_and_step("epoch4_step10.pt")
    ((31, 16384), (4, 10))
    >>> epoch_and_step("best.pt")
    (None, None)
    """
    found = _CHECKPOINT.search(file)
    if found is None:
        return None, None
    return int(found["epoch"]), int(found["step"]) if found["step"] else None


def kind(path: Path, kinds: dict[str, str]) -> str:
    """What a file is about: the node of the job directory that it lies in, else what its name says.

    >>> (
    ...     kind(Path("x/bas_pxl_eval_id_abc/pxl_eval.json"), EVALUATIONS),
    ...     kind(Path("pxl_eval.json"), EVALUATIONS),
    ... )
    ('bas_pxl', 'pxl')
    """
    found = _JOB.fullmatch(path.parent.name)
    return found["node"] if found else kinds[path.name]


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder in order, links to files too; hidden folders and kwdag's own are left out."""
    for base, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith((".", "_kwdag")))
        yield from (Path(base, name) for name in sorted(names))
