"""The bash of a job: its command, and `invoke.sh`, which runs it by hand without kwdag.

Text only; who runs it and when is the backends' business.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from kwdag import jobdir
from kwdag.node import ProcessNode, overrides_command
from kwdag.plan import Branch, External, Group, Job, Output, Plan
from kwdag.render import Token, argv, can_exec, command_words, quote_array

#: What `invoke.sh` does when a person runs it: claim the job, set the old outputs aside, record the end.
BY_HAND = r"""# Below: what makes a run by hand count: claim the job, set old outputs aside, record the end.
here=${BASH_SOURCE[0]}
[[ $here = /* ]] || here=./$here
cd -- "${here%/*}/" || exit
exec 9>>.lock && flock -n 9 || { echo "$job runs elsewhere right now" >&2; exit 75; }
attempt=1
for claim in .claim-*; do
  [ -e "$claim" ] && [ "${claim#.claim-}" -ge $attempt ] && attempt=$((${claim#.claim-} + 1))
done
last=.claim-$((attempt - 1))
ended=
[ -e job_status.json ] && [[ $(<job_status.json) = *"\"attempt\": $((attempt - 1))"[,}]* ]] && ended=1
if [ -e $last ] && [ -z "$ended" ] && [[ $(<$last) != *"\"host\": \"$HOSTNAME"[\"/]* ]]; then
  # Another host's lock may not be seen here: whether its holder lives shows by its heartbeat.
  echo "$job was begun on another host: waiting up to a minute for a sign of it" >&2
  pulse=$(stat -c %.9Y $last)
  for ((second = 0; second < 60; second++)); do
    sleep 1
    [ "$(stat -c %.9Y $last 2>&1)" = "$pulse" ] || { echo "$job runs on another host" >&2; exit 75; }
  done
fi
draft=.draft-by-hand-$$ # a claim appears whole, and only where there is none
printf '{"by_hand": true, "host": "%s", "pid": %s}' "$HOSTNAME" $$ > $draft && {
  ln $draft .claim-$attempt 2> /dev/null || (set -C; cat < $draft > .claim-$attempt)
}
claimed=$?
rm -f $draft
[ $claimed -eq 0 ] || exit 75
rm -f .claim-$((attempt - 1))
stamps() {
  local comma= size ns
  while [ $# -gt 1 ]; do
    if [ -f "$2" ]; then
      read -r size ns < <(LC_ALL=C stat -L -c '%s %.9Y' -- "$2") || return
      ns=${ns/./}
      while [[ $ns = 0?* ]]; do ns=${ns#0}; done # a time of 0 is 0 in JSON, not 0000000000
      printf '%s%s: [%s, %s, null]' "$comma" "$1" $size $ns
      comma=', '
    fi
    shift 2
  done
}
runs() {
  local comma= up text
  for up; do
    text=
    [ -e "../../$up/job_status.json" ] && IFS= read -r text < "../../$up/job_status.json"
    case $text in *'"run": "'*) text=${text#*'"run": "'} ;; *) text= ;; esac
    printf '%s"%s": "%s"' "$comma" "${up##*/}" "${text%%\"*}"
    comma=', '
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
  target=.previous/$file
  mkdir -p -- "${target%/*}" && mv -- "$file" "$target" || exit
done
began_with=$(stamps "${inputs[@]}") && read_from=$(runs "${upstream[@]}") && start=$(date +%s.%N) || exit
# A heartbeat for other hosts, which ends with this shell however that ends.
exec 8> >(exec 9>&- > /dev/null 2>&1; while read -rt 10 _; [ $? -gt 128 ]; do touch -c .claim-$attempt; done)
KWDAG_JOB=$job bash ./invoke.sh 2>&1 8>&- | tee job.log 8>&-
code=${PIPESTATUS[0]}
[ $code -eq 0 ] && state=finished || state=failed
made=$(stamps "${outputs[@]}") && stop=$(date +%s.%N) || exit
printf -v status '%s' "{\"schema\": 1, \"job\": \"$job\", \"state\": \"$state\"," \
  " \"reason\": \"exit code $code\", \"exit_code\": $code, \"attempt\": $attempt, \"run\": \"hand-$start\"," \
  " \"start\": $start, \"stop\": $stop, \"backend\": \"by hand\", \"command\": \"$command\"," \
  " \"inputs\": {$began_with}, \"upstream\": {$read_from}, \"outputs\": {$made}}"
# One write, or a disk that fills up could leave out a part and keep the rest.
printf '%s\n' "$status" > job_status.json.part && mv job_status.json.part job_status.json || exit
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


def direct_argv(plan: Plan, job: Job) -> tuple[str, ...] | None:
    """The argv of a job that needs no bash: neither setup nor teardown, and a plain executable."""
    if job.node.setup or job.node.teardown or overrides_command(job.node):
        return None
    return argv(job.node, values(plan, job))


def command_hash(plan: Plan, text: str) -> str:
    """A hash of what a job does, wherever its root lies and whether or not its path needs quotes."""
    root, needs_quotes = _root_pattern(plan.root)
    text = root.sub("%root%", text)
    if needs_quotes:
        text = _NEEDLESS_QUOTES.sub(r"\1", text)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


# What shlex.quote would leave as it is, had the root a plain name.
_NEEDLESS_QUOTES = re.compile(r"'([\w@%+=:,./-]*%root%[\w@%+=:,./-]*)'", re.ASCII)


@lru_cache(8)
def _root_pattern(root: str) -> tuple[re.Pattern[str], bool]:
    """The root as a command line may hold it, quoted or not, but not as a part of another path."""
    forms = dict.fromkeys((shlex.quote(root).removeprefix("'").removesuffix("'"), root))
    pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, forms))})(?![\w.,:+=@%~-])")
    return pattern, shlex.quote(root) != root


def head(plan: Plan, job: Job, hashed: str) -> str:
    """What differs from job to job in the part of `invoke.sh` that is for people."""
    node: ProcessNode = job.node
    outputs = {key: os.path.normpath(name) for key, name in node.out_paths.items()}
    inputs = [path for path in watched_inputs(plan, job) if "://" not in path]
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


def shown_command(invoke: str) -> str:
    """The command in the text of an `invoke.sh`, for a person to read."""
    own = invoke.partition("|| exit\n")[2].partition("\nexit\nfi\n")[0]
    return own.removeprefix("exec ")


def outputs_of(invoke: str) -> dict[str, str]:
    """What the text of an `invoke.sh` declares as outputs: key -> path inside the job directory."""
    words = _words(invoke, "\noutputs=(", ")\naside=(")
    return {json.loads(key): path for key, path in zip(words[::2], words[1::2], strict=True)}


def upstream_of(invoke: str) -> list[str]:
    """The ids of the jobs that the text of an `invoke.sh` reads from."""
    return [up.rpartition("/")[2] for up in _words(invoke, "\nupstream=(", ")\n")]


def _words(invoke: str, start: str, end: str) -> list[str]:
    """The words of an array of ``head``."""
    own = invoke.partition("\nexit\nfi\n\n")[2]
    return shlex.split(own.partition(start)[2].partition(end)[0])


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


def watched_inputs(plan: Plan, job: Job) -> list[str]:
    """The same paths, those below the root from the job directory: so they hold when the root moves."""
    below = plan.root + "/"
    return [
        f"../../{path.removeprefix(below)}" if path.startswith(below) else path
        for path in external_inputs(job)
    ]


def gathered(job: Job) -> dict[str, Group]:
    """The groups that a job reads, by port."""
    return {name: source for name, source in job.sources.items() if isinstance(source, Group)}
