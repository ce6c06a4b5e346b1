"""What the nodes of the earth-system runner share: programs, the ports of a branch.

The nodes themselves stand in nodes.py.
"""

from __future__ import annotations

import shlex
import sys

from kwdag import ProcessNode


def program(name: str) -> str:
    # The interpreter that runs kwdag can import this package; another `python` on PATH may not. -B: compiled
    # modules of the user's beside esrun.yaml would change the project directory, which all jobs watch.
    return f"{shlex.quote(sys.executable)} -B -m pipelines.esrun.{name}"


def of_partition(name: str, options: str) -> str:
    """The command line of a program that works on one partition.

    Args:
        options: the program's further inputs and outputs, with placeholders.
    """
    return (
        f"PARTITION={{partition_id}} {program(name)} --project_path={{project_path}}"
        f" --partition_dpath={{partitions_dpath}}/{{branch}} {options} {{flags}}"
    )


class OfPartition(ProcessNode):
    """A step of one partition, a branch of `partition`.

    ``branch`` takes the key of the item. ``partition_id`` is the same and comes with it as a value, because
    a gather can be in the order of a parameter alone.
    """

    name = "of_partition"
    in_paths: tuple[str, ...] = ("branch", "project_path", "partitions_dpath")
    algo_params = {"partition_id": None}
