"""A real Slurm on this machine for the tests: its own daemons, key, ports and folders, all gone at the end.

    with cluster(cpus=8) as slurm:
        subprocess.run(["sbatch", ...], env={**os.environ, **slurm.env})

Needs root and Debian's `slurm-wlm` and `munge`; touches nothing outside its folder. SLURM_CONF is all that
a user of it needs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
#: Seconds that the daemons have to come up, and to go.
PATIENCE = 30.0
#: Slurm looks for jobs to start every few seconds; with these scheduler parameters, at once.
QUICK = "batch_sched_delay=0,sched_min_interval=10000,sched_interval=1"

_CONF = """\
ClusterName=kwdagtest
SlurmUser=root
SlurmdUser=root
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=10
SlurmdParameters=config_overrides
SlurmctldParameters={rate}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
{limits}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why no cluster can be started here, None when one can."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "Slurm's daemons are started as root only"


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(slots=True)
class Cluster:
    """A running Slurm; ``env`` is what its clients need in their environment."""

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        return {"SLURM_CONF": f"{self.folder}/slurm.conf"}

    def call(self, *words: str) -> str:
        """Run a Slurm command; raises CalledProcessError."""
        found = subprocess.run(
            words, env={**os.environ, **self.env}, capture_output=True, text=True, check=True
        )
        return found.stdout

    def start(self, name: str, *words: str) -> None:
        """Start a daemon of the cluster (again); it stays a child of this process."""
        path = _program(name)
        assert path is not None
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                [path, *words], env={**os.environ, **self.env}, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def start_slurmd(self) -> None:
        self.start("slurmd", "-D", "-f", self.env["SLURM_CONF"])

    def start_slurmctld(self) -> None:
        self.start("slurmctld", "-D", "-f", self.env["SLURM_CONF"])

    def kill(self, name: str, signum: int = signal.SIGTERM) -> None:
        """End a daemon by its process id."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(signum)
        try:
            daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def log(self) -> str:
        """The end of all logs, for a message when it does not come up."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        )

    def wait_idle(self) -> None:
        """Wait until the node takes jobs."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):
                if self.call("sinfo", "--noheader", "-o", "%T").strip() in ("idle", "mixed", "allocated"):
                    return
            time.sleep(0.1)
        raise RuntimeError(f"Slurm did not come up within {PATIENCE:g} s\n{self.log()}")

    def cancel_all(self) -> None:
        """End every job, and wait until none is left."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.call("scancel", "--full", "--user=root")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):
                if not self.call("squeue", "--noheader", "-o", "%A").strip():
                    return
            time.sleep(0.1)


@contextlib.contextmanager
def cluster(
    cpus: int = 4,
    *,
    max_array_size: int | None = None,
    max_job_count: int | None = None,
    min_job_age: int | None = None,
    rate_limit: str | None = None,
    scheduler: str | None = None,
    memory: int = 16_000,
) -> Iterator[Cluster]:
    """Start a Slurm of one node, and stop all of it at the end.

    Args:
        cpus: may exceed what the machine has.
        min_job_age: seconds for which a job that ended stays known, and counts.
        rate_limit: more SlurmctldParameters, such as `rl_enable,rl_bucket_size=5,rl_refill_rate=2`.
        scheduler: SchedulerParameters, such as `QUICK`; None: Slurm's own, as on a cluster of people.
        memory: of the node, in MB.
    """
    folder = Path(tempfile.mkdtemp(prefix="kwdag-slurm-", dir=os.environ.get("KWDAG_SLURM_DIR")))
    # Batch scripts, whoever they run as, and munge's clients pass through it.
    folder.chmod(0o755)
    made = Cluster(folder)
    try:
        limits = {"MaxArraySize": max_array_size, "MaxJobCount": max_job_count, "MinJobAge": min_job_age}
        _write_files(folder, cpus, memory, {**limits, "SchedulerParameters": scheduler}, rate_limit)
        _start_munge(made)
        made.start_slurmctld()
        made.start_slurmd()
        made.wait_idle()
        yield made
    finally:
        if "slurmctld" in made.daemons:
            made.cancel_all()
        for name in reversed(list(made.daemons)):
            made.kill(name)
        shutil.rmtree(folder, ignore_errors=True)


def _write_files(
    folder: Path, cpus: int, memory: int, limits: Mapping[str, int | str | None], rate_limit: str | None
) -> None:  # fmt: skip
    for name in ("state", "spool"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    ctld_port, d_port = _free_ports()
    text = _CONF.format(
        host=socket.gethostname().split(".")[0], folder=folder, cpus=cpus, memory=memory,
        ctld_port=ctld_port, d_port=d_port, rate=rate_limit or "enable_configless",
        limits="\n".join(f"{name}={value}" for name, value in limits.items() if value is not None),
    )  # fmt: skip
    (folder / "slurm.conf").write_text(text)
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _start_munge(made: Cluster) -> None:
    at = made.folder
    made.start(
        "munged", "--foreground", "--force", f"--socket={at}/munge.socket", f"--key-file={at}/munge.key",
        f"--pid-file={at}/munge.pid", f"--log-file={at}/munge.log", f"--seed-file={at}/munge.seed",
        "--num-threads=2",
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while not (at / "munge.socket").exists():
        if made.daemons["munged"].poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"munged did not start\n{made.log()}")
        time.sleep(0.02)


if __name__ == "__main__":
    import sys

    for ends in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ends, signal.default_int_handler)
    with cluster(*map(int, sys.argv[1:2])) as running:
        print(f"export SLURM_CONF={running.env['SLURM_CONF']}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
