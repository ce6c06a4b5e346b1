"""Which job directories can go, and deleting them; a job that somebody holds stays."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kwdag import claims, inventory, jobdir
from kwdag.errors import KwdagError
from kwdag.explain import Ledger
from kwdag.inventory import Entry
from kwdag.outlook import Outlook

#: Below `_kwdag`: what was taken away whole and is being deleted.
TRASH = "trash"


@dataclass(frozen=True, slots=True)
class Doomed:
    """A job directory that can go, why, and how many bytes lie in it."""

    node: str
    job_id: str
    dpath: str
    why: str
    size: int


@dataclass(frozen=True, slots=True)
class Wish:
    """Which jobs to delete.

    Attributes:
        failed: those that failed or were cut off.
        stale: done ones whose inputs changed or whose ancestors ran again; by outlooks also the command.
        unwanted: those that no outlook asks for.
        outlooks: of the given params.
    """

    failed: bool = False
    stale: bool = False
    unwanted: bool = False
    outlooks: Sequence[Outlook] = ()


def check(failed: bool, stale: bool, unwanted: bool, params: Sequence[str]) -> None:
    """Raise KwdagError for a wish that says too little."""
    if not (failed or stale or unwanted):
        raise KwdagError("nothing is chosen", hint="say --failed, --stale or --unwanted")
    if unwanted and not params:
        raise KwdagError("the params that are still wanted are needed", where="--unwanted",
                         hint="give them by --params, as often as there are some")  # fmt: skip


def choose(root: str, wish: Wish) -> list[Doomed]:
    """The job directories that can go; raises RootError when there is no such root or no job."""
    entries = [entry for entry in inventory.take(root) if entry.state != "running"]
    tests = _tests(inventory.checked_root(root), wish)
    found = ((entry, next((why for test in tests if (why := test(entry))), None)) for entry in entries)
    return [
        Doomed(entry.node, entry.job_id, entry.dpath, why, _size(entry.dpath)) for entry, why in found if why
    ]


def _tests(root: str, wish: Wish) -> list[Callable[[Entry], str | None]]:
    """Functions from a job to why it can go, None when it stays."""
    tests: list[Callable[[Entry], str | None]] = [_failure] if wish.failed else []
    if wish.stale:
        ledger = Ledger(root)
        tests.append(lambda entry: _staleness(entry, wish.outlooks, ledger))
    if wish.unwanted:
        tests.append(lambda entry: _unwanted(entry, wish.outlooks))
    return tests


def _failure(entry: Entry) -> str | None:
    if entry.state not in ("failed", "interrupted"):
        return None
    return f"failed: {entry.reason}" if entry.state == "failed" else "interrupted"


def _staleness(entry: Entry, outlooks: Sequence[Outlook], ledger: Ledger) -> str | None:
    states = [outlook.states[entry.job_id] for outlook in outlooks if entry.job_id in outlook.states]
    if states:
        # What any of the params takes for valid is valid.
        return f"stale: {states[0].reason}" if all(state.kind == "stale" for state in states) else None
    found = ledger.finding(entry.job_id)
    return f"stale: {found.reason}" if found.state == "stale" else None


def _unwanted(entry: Entry, outlooks: Sequence[Outlook]) -> str | None:
    for outlook in outlooks:
        # Branches that are not known yet may turn out to be this job.
        if entry.job_id in outlook.plan.jobs or entry.node in outlook.plan.open:
            return None
    return "unwanted"


def undecided(outlooks: Iterable[Outlook]) -> list[str]:
    """Nodes whose jobs all count as wanted, as some of their branches are not known yet."""
    return list({node: None for outlook in outlooks for node in outlook.plan.open})


def _size(dpath: str) -> int:
    total = 0
    for folder, _, names in os.walk(dpath):
        for name in names:
            with suppress(OSError):
                total += os.lstat(f"{folder}/{name}").st_size
    return total


def delete(root: str, doomed: Iterable[Doomed]) -> dict[str, str]:
    """Delete job directories and the links to them; id -> why, of those that were kept after all.

    Raises:
        WriteError: the disk refused.
    """
    root = inventory.checked_root(root)
    trash = f"{root}/{jobdir.RUN_DPATH}/{TRASH}"
    jobdir.make_dir(trash)
    try:
        kept = {job.job_id: why for job in doomed if (why := _delete(root, job, trash))}
        shutil.rmtree(trash)
    except OSError as error:
        raise jobdir.writing(trash, error) from None
    return kept


def _delete(root: str, job: Doomed, trash: str) -> str | None:
    """Delete one job; why it stays, else None."""
    attempt = claims.latest_attempt(job.dpath)
    claim = claims.acquire(job.dpath, attempt)
    if not isinstance(claim, claims.Claim):
        return f"it runs: {inventory.held_by(job.dpath)}" if claim is None else "it has run since"
    try:
        links = list(_links_to(root, job))
        # In one step: what is left of a job that is half deleted must not look like a job.
        target = f"{trash}/{job.job_id}.{os.getpid()}"
        os.rename(job.dpath, target)
    finally:
        claim.release()
    for link in links:
        _unlink(link)
    shutil.rmtree(target)
    return None


def _links_to(root: str, job: Doomed) -> Iterator[str]:
    """The links in other job directories that lead to this one."""
    for own, theirs in ((jobdir.PRED, jobdir.SUCC), (jobdir.SUCC, jobdir.PRED)):
        for node in _names(f"{job.dpath}/{own}"):
            for other in _names(f"{job.dpath}/{own}/{node}"):
                yield f"{root}/{node}/{other}/{theirs}/{job.node}/{job.job_id}"


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _unlink(link: str) -> None:
    """Remove a link, and the folders that are empty without it."""
    with suppress(OSError):
        os.unlink(link)
        os.removedirs(os.path.dirname(link))
