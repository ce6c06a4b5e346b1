"""A plain bash script that runs a selection of jobs, for a machine without kwdag.

Text only. What it leaves behind are job directories whose `invoke.sh` was run by hand.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence

from kwdag import script
from kwdag.plan import Group, Job, Plan
from kwdag.tasks import TaskMaker

_HEAD = r"""#!/usr/bin/env bash
# {count} jobs below {root}
# Needs nothing but bash; run it again to go on where it stopped. `kwdag schedule` adopts what it made.
root={quoted_root}
declare -A lost
failed=0
IFS= read -r -d '' by_hand <<'KWDAG_BY_HAND'
{by_hand}KWDAG_BY_HAND

# job NODE ID UPSTREAM...: lay out a job and run it, unless it is done or one of its upstream jobs failed.
job() {{
  local node=$1 id=$2 dpath=$root/$1/$2 up text
  shift 2
  IFS= read -r -d '' text
  for up; do
    [ -z "${{lost[$up]-}}" ] || {{ lost[$id]=1; echo "blocked $id"; return; }}
  done
  if grep -qsE '"state": "(done|finished)"' "$dpath/job_status.json"; then return; fi
  mkdir -p "$dpath" && printf '%s%s' "$text" "$by_hand" > "$dpath/invoke.sh" || exit
  echo "run     $id"
  bash "$dpath/invoke.sh" || {{ lost[$id]=1; failed=$((failed + 1)); echo "FAILED  $id"; }}
}}

# gather NODE ID PORT: write a manifest; its lines and its JSON twin are in the variables paths and twin.
gather() {{
  mkdir -p "$root/$1/$2/_gather" || exit
  printf '%s\n' "${{paths[@]}}" > "$root/$1/$2/_gather/$3.txt"
  printf '%s' "$twin" > "$root/$1/$2/_gather/$3.json"
}}
"""


def write_script(plan: Plan, jobs: Sequence[Job]) -> Iterator[str]:
    """The lines of the script, in pieces; ``jobs`` upstream first."""
    yield _HEAD.format(
        count=len(jobs), root=plan.root, quoted_root=shlex.quote(plan.root), by_hand=script.BY_HAND
    )
    maker = TaskMaker(plan)
    shown: Group | None = None
    for job in jobs:
        for port, group in script.gathered(job).items():
            if group is not shown:
                yield _group(maker, group)
                shown = group
            yield f"gather {job.node.name} {job.id} {port}\n"
        yield _job(plan, job)
    yield 'echo "$failed jobs failed"\n[ $failed -eq 0 ]\n'


def _group(maker: TaskMaker, group: Group) -> str:
    members = maker.members(group, frozenset())
    paths = " ".join(shlex.quote(member["path"]) for member in members)
    twin = json.dumps({"schema": 1, "members": members}, ensure_ascii=False)
    return f"\npaths=({paths})\ntwin={shlex.quote(twin)}\n"


def _job(plan: Plan, job: Job) -> str:
    upstream = "".join(f" {up.id}" for up in job.predecessors())
    text = script.body(plan, job)
    end = "KWDAG_END"
    while end in text:
        end += "_"
    return f"\njob {job.node.name} {job.id}{upstream} <<'{end}'\n{script.own_part(plan, job, text)}{end}\n"
