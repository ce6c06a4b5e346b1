#!/usr/bin/env bash
# Sets up kwdag and runs every check; with arguments only pytest, with these:  bash tests/run.sh [PYTEST ARGUMENT...]
# A test whose program is missing is skipped, but for those in KWDAG_REQUIRE (tmux,slurm,strace,browser,postgres): there it fails.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../tools/setup.sh"

export PATH=$PATH:/usr/sbin:/sbin # where Slurm's and munge's daemons are
missing=()
for program in tmux:tmux strace:strace faketime:faketime slurmctld:slurm-wlm munged:munge \
    chromium:chromium chromedriver:chromium-driver; do
    command -v "${program%:*}" >/dev/null || missing+=("${program#*:}")
done
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
((${#missing[@]} == 0)) || install_debian "${missing[@]}" || echo "their tests are skipped" >&2

use_venv tests
cd "$repo"
python -m compileall -q kwdag pipelines # programs start quicker, also where python is to write no bytecode
(($# == 0)) || exec pytest "$@"
ruff check
ruff format --check
mypy
exec pytest -n "$(($(nproc) + 1))" --dist loadgroup # one more than cores: those of Slurm and tmux mostly wait
