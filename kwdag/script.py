"""The bash of a job: its command, and `invoke.sh`, which runs it by hand without kwdag.

Text only; who runs it and when is the backends' business.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable
from typing import Any

from kwdag import jobdir
from kwdag.node import ProcessNode, overrides_command
from kwdag.plan import Branch, External, Group, Job, Output, Plan
from kwdag.render import Token, can_exec, command_words, quote_array

#: What `invoke.sh` does when a person runs it: claim the job, set the old outputs aside, record the end.
BY_HAND = r"""# Below: what makes a run by hand count: claim the job, set old outputs aside, record the end.
cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit
exec 9>>.lock && flock -n 9 || { echo "$job runs elsewhere right now" >&2; exit 75; }
attempt=1
for claim in .claim-*; do
  [ -e "$claim" ] && [ "${claim#.claim-}" -ge $attempt ] && attempt=$((${claim#.claim-} + 1))
done
(set -C; printf '{"by_hand": true, "pid": %s}' $$ > .claim-$attempt) || exit
rm -f .claim-$((attempt - 1))
stamp() { stat -L -c '[%s, %.9Y, null]' -- "$1" | tr -d .; }
stamps() {
  local comma=
  while [ $# -gt 1 ]; do
    [ -f "$2" ] && { printf '%s%s: %s' "$comma" "$1" "$(stamp "$2")"; comma=', '; }
    shift 2
  done
}
runs() {
  local comma= up
  for up; do
    printf '%s"%s": "%s"' "$comma" "${up##*/}" \
      "$(sed -n 's/.*"run": "\([^"]*\)".*/\1/p' "../../$up/job_status.json" 2>/dev/null)"; comma=', '
  done
}
if [ "${aside-}" = . ]; then
  aside=()
  for file in *; do
    case $file in
      invoke.sh | job_config.json | job_status.json | job.log | _gather) ;;
      *) aside+=("$file") ;;
    esac
  done
fi
rm -rf .previous && mkdir .previous || exit
for file in job_status.json job.log "${aside[@]}"; do
  [ -e "$file" ] || continue
  mkdir -p -- "$(dirname -- ".previous/$file")" && mv -- "$file" ".previous/$file" || exit
done
began_with=$(stamps "${inputs[@]}") read_from=$(runs "${upstream[@]}") start=$(date +%s.%N)
KWDAG_JOB=$job bash ./invoke.sh 2>&1 | tee job.log
code=${PIPESTATUS[0]}
[ $code -eq 0 ] && state=finished || state=failed
{
  printf '{"schema": 1, "job": "%s", "state": "%s", "reason": "exit code %s", ' $job $state $code
  printf '"exit_code": %s, "attempt": %s, "run": "hand-%s", ' $code $attempt $start
  printf '"start": %s, "stop": %s, "backend": "by hand", "command": "%s", ' $start "$(date +%s.%N)" $command
  printf '"inputs": {%s}, "upstream": {%s}, ' "$began_with" "$read_from"
  printf '"outputs": {%s}}\n' "$(stamps "${outputs[@]}")"
} > job_status.json.part && mv job_status.json.part job_status.json
exit $code
"""


def values(plan: Plan, job: Job) -> dict[str, Token]:
    """Every value as the program gets it: outputs, inputs and parameters by name."""
    dpath = plan.dpath(job)
    found: dict[str, Token] = {
        key: os.path.normpath(f"{dpath}/{name}") for key, name in job.node.out_paths.items()
    }
    for name, source in job.sources.items():
        found[name] = source.value if type(source) is External else _path(plan, dpath, name, source)
    return found


def _path(plan: Plan, dpath: str, port: str, source: Any) -> Token:
    if isinstance(source, Output):
        return os.path.normpath(f"{plan.dpath(source.job)}/{source.path}")
    if isinstance(source, Branch):
        return source.key
    return jobdir.manifest_path(dpath, port)


def command_lines(plan: Plan, job: Job) -> list[str]:
    """The command of a job as groups of words that stand on a line each."""
    found = values(plan, job)
    if overrides_command(job.node):
        return [_own_command(plan, job, found)]
    return command_words(job.node, found)


def _own_command(plan: Plan, job: Job, found: dict[str, Token]) -> str:
    """Ask a node's own ``command``, with the job's values in the attributes that it knows."""
    import copy
    from pathlib import Path

    node = copy.copy(job.node)
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    own: Any = node
    own.final_config = {name: plain[name] for name in plain if name not in node.out_paths}
    own.final_in_paths = {name: plain[name] for name in plain if name in node.in_paths}
    own.final_out_paths = {name: plain[name] for name in node.out_paths}
    own.final_perf_config = {name: plain[name] for name in plain if name in node.perf_params}
    own.final_algo_config = {
        name: value for name, value in own.final_config.items()
        if name not in node.in_paths and name not in node.perf_params
    }  # fmt: skip
    own.final_node_dpath = Path(plan.dpath(job))
    command = own.command
    return str(command() if callable(command) else command).strip()


def body(plan: Plan, job: Job) -> str:
    """Setup, command and teardown in bash; nothing in it depends on who runs it."""
    node = job.node
    command = " \\\n    ".join(command_lines(plan, job))
    lines = [f"{line} || exit" for line in node.setup]
    if node.teardown:
        lines.append(f"trap {shlex.quote('; '.join(node.teardown))} EXIT")
    elif can_exec(node) and not overrides_command(node):
        command = f"exec {command}"
    return "\n".join([*lines, command]) + "\n"


def command_hash(plan: Plan, text: str) -> str:
    """A hash of what a job does, wherever its root lies."""
    inside_quotes = plan.root.replace("'", "'\"'\"'")
    for root in dict.fromkeys((plan.root, inside_quotes)):
        text = text.replace(root, "<root>")
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def head(plan: Plan, job: Job, hashed: str) -> str:
    """What differs from job to job in the part of `invoke.sh` that is for people."""
    node: ProcessNode = job.node
    outputs = {key: os.path.normpath(name) for key, name in node.out_paths.items()}
    inputs = [path for path in external_inputs(job) if "://" not in path]
    return "\n".join([
        f"job={job.id} command={hashed}",
        f"inputs=({_pairs((json.dumps(path), path) for path in inputs)})",
        f"outputs=({_pairs((json.dumps(key), name) for key, name in outputs.items() if name != '.')})",
        f"aside=({'.' if '.' in outputs.values() else quote_array(outputs.values())})",
        f"upstream=({' '.join(f'{up.node.name}/{up.id}' for up in job.predecessors())})",
    ]) + "\n"  # fmt: skip


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{shlex.quote(a)} {shlex.quote(b)}" for a, b in items)


def own_part(plan: Plan, job: Job, text: str) -> str:
    """The part of `invoke.sh` that differs from job to job: the command first."""
    return (
        "#!/usr/bin/env bash\n"
        f"# {job.id}, a job of kwdag. To run it by hand, from anywhere: bash {jobdir.INVOKE}\n"
        f'if [ "${{KWDAG_JOB-}}" = {job.id} ]; then\n'
        f"cd -- {shlex.quote(plan.workdir)} || exit\n{text}exit\nfi\n\n"
        f"{head(plan, job, command_hash(plan, text))}"
    )


def invoke_script(plan: Plan, job: Job, text: str) -> str:
    """The whole of `invoke.sh`; ``text`` is its ``body``."""
    return own_part(plan, job, text) + BY_HAND


def external_inputs(job: Job) -> list[str]:
    """The paths that a job reads from outside the plan."""
    found: list[str] = []
    for name, source in job.sources.items():
        if isinstance(source, External) and name in job.node.in_paths and source.value is not None:
            found += [source.value] if isinstance(source.value, str) else source.value
    return found


def gathered(job: Job) -> dict[str, Group]:
    """The groups that a job reads, by port."""
    return {name: source for name, source in job.sources.items() if isinstance(source, Group)}
