"""What a study found, as text for people, and what it says of kwdag's promises.
A study is what is no matter of wall time alone; each stands in a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Installed
from benchmarks.suite import Verdict


@dataclass(frozen=True, slots=True)
class Findings:
    """A table, what to know of it, and the promises that it judges."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """`run` is given the peers that are there by name, a scratch folder, and whether to be quick."""

    name: str
    title: str
    peers: tuple[str, ...]
    run: Callable[[Mapping[str, Installed], Path, bool], Findings]
