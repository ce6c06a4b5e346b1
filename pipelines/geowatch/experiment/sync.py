"""Pull and push: which files must be copied, tracked, fetched and sent, and doing it.

A plan is made of rows and can be shown before anything changes; every step may be repeated safely.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kwdag import jobdir
from pipelines import program
from pipelines.geowatch.experiment import inventory, versioning
from pipelines.geowatch.experiment.inventory import Versioned
from pipelines.geowatch.experiment.layout import Selection
from pipelines.geowatch.experiment.versioning import Store

PACKAGES, EVALS = "packages", "evals"


@dataclass(frozen=True, slots=True)
class Push:
    """What a push would do.

    Attributes:
        copies: source and place of what is not among the versioned files yet.
        adds: files that DVC does not track, or that may have changed since.
        tracked: files that DVC tracks already; the remote may lack them all the same.
        unpackaged: checkpoints of which nobody has made a package; they stay where they are.
    """

    copies: tuple[tuple[Path, Path], ...]
    adds: tuple[Path, ...]
    tracked: tuple[Path, ...]
    unpackaged: tuple[Path, ...]

    @property
    def to_track(self) -> list[Path]:
        """All that `dvc add` gets."""
        return sorted({*(target for _, target in self.copies), *self.adds})

    @property
    def files(self) -> list[Path]:
        """All that must be on the remote in the end."""
        return sorted({*self.to_track, *self.tracked})


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push has done; `sent` counts what the remote lacked."""

    copied: int
    added: int
    sent: int
    committed: bool
    published: bool


def counted(number: int, things: str) -> str:
    """A number of things, whose plural ends in `s`.

    >>> counted(1, "packages"), counted(3, "evals")
    ('1 package', '3 evals')
    """
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


def of_kind(rows: list[Versioned], kind: str) -> list[Versioned]:
    """The rows that `packages` or `evals` means."""
    return [row for row in rows if (row.type == "pkg_fpath") == (kind == PACKAGES)]


def plan_push(folder: Path, wanted: Selection, kind: str) -> Push:
    """What a push of `packages` or `evals` would do."""
    rows = [row for row in inventory.versioned_rows(folder, wanted) if row.has_raw]
    rows = of_kind(rows, kind)
    copies, unpackaged = (
        _new_packages(folder, wanted) if kind == PACKAGES else (_new_evals(folder, wanted), [])
    )
    return Push(
        tuple(copies),
        tuple(row.raw for row in rows if not row.has_dvc or row.unprotected),
        tuple(row.raw for row in rows if row.has_dvc),
        tuple(unpackaged),
    )


def _new_packages(folder: Path, wanted: Selection) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Packages of training to copy, and checkpoints that have no package. Of two for one place the last."""
    copies: dict[Path, Path] = {}
    unpackaged = []
    for row in inventory.staging_rows(folder, wanted):
        if row.spkg_fpath is None:
            unpackaged += [row.ckpt_path] if row.ckpt_path and not row.is_copied else []
        elif not row.is_copied:
            copies[row.pkg_fpath] = row.spkg_fpath
    return [(source, target) for target, source in copies.items()], unpackaged


def _new_evals(folder: Path, wanted: Selection) -> list[tuple[Path, Path]]:
    """Evaluations that runs have made, where the versioned one is missing or says something else."""
    found = inventory.finished_evaluations(folder, wanted)
    return [(source, target) for source, target in found if not _is_copied(source, target)]


def _is_copied(source: Path, target: Path) -> bool:
    if not target.exists():
        return target.with_name(target.name + inventory.DVC).exists()
    return source.read_bytes() == target.read_bytes()


def gather_evals(folder: Path, wanted: Selection) -> list[Path]:
    """Copy new evaluations from the runs below `pred` to `eval`; where they lie now."""
    copies = _new_evals(folder, wanted)
    for source, target in copies:
        _copy(source, target)
    return [target for _, target in copies]


def _copy(source: Path, target: Path) -> None:
    """Copy a file, and what tells its parameters: the `job_config.json` beside it."""
    config = source.with_name(jobdir.CONFIG)
    if config.is_file():
        with program.writing(target.with_name(jobdir.CONFIG)) as draft:
            shutil.copyfile(config, draft)
    with program.writing(target) as draft:
        shutil.copyfile(source, draft)


def push(store: Store, plan: Push, kind: str, step: Callable[[str], None]) -> Pushed:
    """Carry a plan out: copy, track, send, and then commit and publish the `.dvc` files with git.

    The data go first, so that nobody meets a `.dvc` file whose data are nowhere.

    Raises:
        SharingFailed: DVC or git refused; what was done stays done, and the same command goes on from there.
    """
    if plan.copies:
        step(f"copying {counted(len(plan.copies), 'files')}")
    for source, target in plan.copies:
        _copy(source, target)
    if plan.to_track:
        step(f"tracking {counted(len(plan.to_track), 'files')}")
        store.add(plan.to_track)
    step(f"sending what {store.name} lacks")
    sent = store.push(plan.files)
    committed = published = False
    if store.uses_git:
        step("committing")
        message = f"{kind} from {socket.gethostname()}"
        committed = versioning.commit(store.folder, _beside(plan.files), message)
        published = versioning.git_push(store.folder)
    return Pushed(len(plan.copies), len(plan.to_track), sent, committed, published)


def _beside(files: list[Path]) -> list[Path]:
    """What git keeps of tracked files: `.dvc` files, and `.gitignore` and job_config.json beside them."""
    near = chain.from_iterable(
        (
            file.with_name(file.name + inventory.DVC),
            file.with_name(".gitignore"),
            file.with_name(jobdir.CONFIG),
        )
        for file in files
    )
    return sorted({file for file in near if file.is_file()})


def needing_pull(folder: Path, wanted: Selection, kind: str) -> list[Path]:
    """The files whose data are not here."""
    return [
        row.raw for row in of_kind(list(inventory.versioned_rows(folder, wanted)), kind) if row.needs_pull
    ]
