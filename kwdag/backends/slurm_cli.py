"""The programs of Slurm: called sparingly, counted, and asked again when the controller was busy.

Nothing here knows of jobs of ours; it turns command lines into values and refusals into BackendError.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from kwdag import jobdir
from kwdag.errors import BackendError, did_you_mean

#: What the programs say when the controller did not answer, or did not want to just now.
_BUSY = re.compile(
    r"Socket timed out|Unable to contact|temporarily un|Resource temporarily|try again|Transport endpoint"
    r"|Connection (refused|reset|timed out)|Zero Bytes|[Rr]ate limit|backoff|Communication connection failure"
    r"|slurm_receive_msg|Slurm backup controller",
)
#: What they say when no more jobs may be submitted for now.
_FULL = re.compile(r"temporarily unable to accept|job submit limit|MaxJobCount|MaxSubmitJob|AssocMaxSubmit")
#: Seconds before a refused call is repeated, growing by half each time; and until it is given up.
FIRST_PAUSE, PATIENCE = 0.5, 300.0
#: Seconds after which a controller that has not answered once is taken for absent.
FIRST_PATIENCE = 20.0
#: Seconds that one call may take: sbatch sleeps for minutes by itself when Slurm is full.
CALL_LIMIT = 30.0
#: Variables of sbatch's own that would turn our submissions into something else.
_NOT_OURS = frozenset({"SBATCH_ARRAY_INX", "SBATCH_WAIT", "SBATCH_TEST_ONLY", "SBATCH_CLUSTERS"})
#: How long limits that were read are believed, in seconds.
_LIMITS_HOLD = 24 * 3600.0

QUEUED = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT",
                    "RESV_DEL_HOLD"})  # fmt: skip
RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})


class Busy(Exception):
    """The controller gave no answer: whether the call had its effect is unknown."""


class Full(Exception):
    """Slurm takes no more jobs for now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cluster allows, and how large it is.

    Attributes:
        cpus: CPUs that are not down, by partition; the default one also under "".
    """

    max_array_size: int = 1001
    max_job_count: int = 10_000
    min_job_age: float = 300.0
    parameters: str = ""
    cpus: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One task as `squeue` shows it; ``task`` is None for what is no array."""

    array: int
    task: int | None
    state: str
    reason: str
    comment: str

    @property
    def alive(self) -> bool:
        """Whether it runs or may still run."""
        return self.state in QUEUED or self.state in RUNNING


@dataclass(slots=True)
class Slurm:
    """Calls the programs of Slurm, and counts the calls."""

    calls: Counter[str] = field(default_factory=Counter)
    _answered: bool = False
    _env: dict[str, str] = field(default_factory=lambda: _environment(os.environ))

    def add_env(self, more: Mapping[str, str]) -> None:
        """Add to the environment that sbatch hands on to the jobs."""
        self._env |= more

    def once(self, *words: str, stdin: str | None = None) -> str:
        """Call a program and return what it printed.

        Raises:
            Busy: nothing is known of the effect. Full: no more jobs for now. BackendError: it refused.
        """
        self.calls[words[0]] += 1
        try:
            found = subprocess.run(words, env=self._env, input=stdin, capture_output=True, timeout=CALL_LIMIT,
                                   encoding="utf-8", errors="surrogateescape", check=False)  # fmt: skip
        except FileNotFoundError:
            raise BackendError(f"{words[0]} is not installed", where="--backend=slurm",
                               hint="--backend=tmux needs no cluster") from None  # fmt: skip
        except subprocess.TimeoutExpired as late:
            said = (late.stderr or b"").decode(errors="replace")
            raise (Full if _FULL.search(said) else Busy)(said) from None
        if found.returncode == 0:
            return found.stdout
        if _FULL.search(found.stderr):
            raise Full(found.stderr)
        if _BUSY.search(found.stderr) or found.returncode < 0:
            raise Busy(found.stderr)
        raise BackendError(_said(found.stderr, words[0], found.returncode), where=words[0])

    def call(self, *words: str, stdin: str | None = None) -> str:
        """``once``, repeated while the controller is busy; only for calls that may have effect twice."""
        limit = PATIENCE if self._answered else FIRST_PATIENCE
        for _ in patience(limit):
            try:
                said = self.once(*words, stdin=stdin)
            except Busy as busy:
                complaint = str(busy)
            else:
                self._answered = self._answered or words[0] != "sbatch"
                return said
        raise BackendError(f"no answer for {limit:.0f} s: {_said(complaint, words[0], 0)}", where=words[0])

    def queue(self, arrays: Iterable[int] = ()) -> list[QueueLine]:
        """Tasks of these arrays (of all of the caller's without any), those that ended lately included."""
        words = ["squeue", "--noheader", "--array", "--states=all", "-o", "%F|%K|%T|%r|%k"]
        ids = sorted(set(arrays))
        words += [f"--jobs={','.join(map(str, ids))}"] if ids else [f"--user={os.geteuid()}"]
        try:
            text = self.call(*words)
        except BackendError as error:
            if "Invalid job id" in error.message:  # a single one that is long gone
                return []
            raise
        return [line for line in map(_queue_line, text.splitlines()) if line is not None]

    def cancel(self, arrays: Iterable[int], pending_only: bool = False) -> None:
        """End arrays and what runs in them; those that have ended are no error."""
        ids = [str(array) for array in arrays]
        if not ids:
            return
        # It also complains of what has just ended; whoever must know looks at the queue.
        with suppress(BackendError):
            self.call("scancel", "--quiet", *(["--state=PENDING"] if pending_only else []), *ids)

    def option_names(self) -> frozenset[str]:
        """The long options of `sbatch`, as its help lists them."""
        return frozenset(re.findall(r"--([a-z][a-z0-9-]+)", self.call("sbatch", "--help")))

    def refusal(self, words: Iterable[str]) -> str | None:
        """Why sbatch takes no job with these options, None when it may take one."""
        try:
            self.call("sbatch", "--test-only", *words, stdin="#!/bin/sh\n")
        except Full:
            return None
        except BackendError as error:
            # What is said of nodes may be true only now, while they are down: a job would wait for them.
            return error.message if "nvalid" in error.message else None
        return None

    def limits(self, keep: str) -> Limits:
        """The cluster's limits, asked once and kept in the file ``keep``."""
        about = {"conf": self._env.get("SLURM_CONF"), "uid": os.geteuid()}
        kept = _kept(keep, about)
        if kept is not None:
            return kept
        config = self.call("scontrol", "show", "config")
        found = _limits(config, self.call("sinfo", "--noheader", "-o", "%P|%C"))
        jobdir.make_dir(os.path.dirname(keep))
        content = {"schema": jobdir.SCHEMA, "about": about, "limits": asdict(found)}
        jobdir.write_replacing(keep, json.dumps(content, indent=1) + "\n", shared=True)
        return found

    def spent(self) -> str:
        """The calls so far, in words."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self.calls.items()))


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    # Inside a Slurm job its own settings, such as SLURM_MEM_PER_NODE, would become those of what we submit.
    keep = {"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_TIME_FORMAT"}
    return {
        name: value
        for name, value in given.items()
        if name not in _NOT_OURS and (name in keep or not name.startswith(("SLURM_", "SLURMD_")))
    }


def patience(limit: float = PATIENCE) -> Iterator[None]:
    """Turns with growing pauses between them, for some seconds."""
    deadline = time.monotonic() + limit
    pause = FIRST_PAUSE
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(15.0, 1.5 * pause)


def _said(stderr: str, program: str, code: int) -> str:
    """The gist of an error message: `sbatch: error: ... failed: Invalid partition name specified`."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    lines = [re.sub(rf"^{program}: (error: |fatal: )?", "", line) for line in lines]
    lines = [line for line in lines if not line.startswith("Try ")] or [f"exit code {code}"]
    chosen = next((line for line in lines if "failed:" in line or "nvalid" in line), lines[-1])
    return chosen[:1].lower() + chosen[1:]


def _queue_line(text: str) -> QueueLine | None:
    parts = text.split("|", 4)
    if len(parts) < 5 or not parts[0].isdecimal():
        return None
    task = int(parts[1]) if parts[1].isdecimal() else None
    return QueueLine(int(parts[0]), task, parts[2], parts[3], parts[4])


def _kept(path: str, about: Mapping[str, Any]) -> Limits | None:
    try:
        if time.time() - os.stat(path).st_mtime > _LIMITS_HOLD:
            return None
        content = jobdir.read_json(path)
        return Limits(**content["limits"]) if content["about"] == about else None
    except (OSError, jobdir.DamagedFile, KeyError, TypeError):
        return None


def _limits(config: str, partitions: str) -> Limits:
    """Limits from the text of `scontrol show config` and `sinfo -o %P|%C`."""
    found = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", config, re.MULTILINE))
    cpus: dict[str, int] = {}
    for line in partitions.splitlines():
        name, _, counts = line.partition("|")
        parts = counts.split("/")
        if len(parts) == 4:
            cpus[name.rstrip("*")] = int(parts[0]) + int(parts[1])
            if name.endswith("*"):
                cpus[""] = cpus[name.rstrip("*")]
    return Limits(
        max_array_size=_number(found.get("MaxArraySize"), 1001),
        max_job_count=_number(found.get("MaxJobCount"), 10_000),
        min_job_age=float(_number(found.get("MinJobAge"), 300)),
        parameters=found.get("SlurmctldParameters", ""),
        cpus=cpus,
    )


def _number(text: str | None, otherwise: int) -> int:
    match = re.match(r"\d+", text or "")
    return int(match.group()) if match else otherwise


# -- options ---------------------------------------------------------------------------------------

#: Options of sbatch that say how a run is submitted: they are kwdag's to give.
OWN = frozenset([
    "array", "dependency", "wrap", "parsable", "test-only", "wait", "help", "usage", "version", "job-name",
    "output", "error", "open-mode", "comment", "kill-on-invalid-dep", "chdir", "export", "export-file",
    "input", "quiet", "verbose", "clusters", "hold", "requeue",
])  # fmt: skip


def check_options(options: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise BackendError for the first option that sbatch does not have or that is not the user's to set.

    Of `array` the user sets what follows the percent sign: how many tasks may run at once.
    """
    for given, value in options.items():
        name = str(given).replace("_", "-")
        if name == "array" and re.fullmatch(r"%\d+", str(value)):
            continue
        if name in OWN:
            raise BackendError(f"{given!r} is set by kwdag itself", where="slurm_options")
        if name not in known:
            raise BackendError(f"sbatch has no option {given!r}", where="slurm_options",
                               hint=did_you_mean(name, known - OWN))  # fmt: skip


def option_words(options: Mapping[str, Any]) -> tuple[str, ...]:
    """A mapping as words for sbatch, sorted: True is a bare flag, False and None are left out.

    >>> option_words({"mem": "4G", "exclusive": True, "cpus_per_task": 2, "nice": None})
    ('--cpus-per-task=2', '--exclusive', '--mem=4G')
    """
    words = []
    for name, value in options.items():
        flag = f"--{str(name).replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value is not None and value is not False:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            words.append(f"{flag}={text}")
    return tuple(sorted(words))
