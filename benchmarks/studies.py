"""The studies by name."""

from __future__ import annotations

from benchmarks import kill_table, monitor
from benchmarks.findings import Study

STUDIES: dict[str, Study] = {study.name: study for study in (kill_table.STUDY, monitor.STUDY)}
