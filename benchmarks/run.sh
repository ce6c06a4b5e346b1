#!/usr/bin/env bash
# Time kwdag beside its peers: benchmarks/run.sh [--quick] [--peers kwdag,ninja] [NAME ...]
# Every peer gets a virtual environment of its own under benchmarks/.venvs (KWDAG_BENCH_VENVS moves them).
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
KWDAG_BENCH_VENVS=$(realpath -m "${KWDAG_BENCH_VENVS:-$repo/benchmarks/.venvs}")
export KWDAG_BENCH_VENVS
export PIP_DISABLE_PIP_VERSION_CHECK=1
venv=$KWDAG_BENCH_VENVS/kwdag

# Installed from a copy, as a user has it: an editable install starts differently, and building in the tree leaves files.
install_kwdag() {
    local copy
    copy=$(mktemp -d)
    (cd "$repo" && git ls-files -coz --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2>/dev/null) |
        tar -xf - -C "$copy"
    "$venv/bin/pip" install --quiet "$@" "$copy" || { rm -rf "$copy"; return 1; }
    rm -rf "$copy"
}

wants_setup=1
for arg in "$@"; do
    case $arg in --help | -h | --list) wants_setup=0 ;; esac
done

if ((wants_setup)); then
    project=$(sha256sum <"$repo/pyproject.toml")
    if [[ $(cat "$venv/.complete" 2>/dev/null) != "$project" ]]; then
        rm -rf "$venv"
        "${PYTHON:-python3}" -m venv "$venv"
        constraints=()
        [[ -e $repo/constraints.txt ]] && constraints=(-c "$repo/constraints.txt")
        install_kwdag "${constraints[@]}"
        echo "$project" >"$venv/.complete"
    else
        install_kwdag --no-deps --force-reinstall
    fi
    if ! command -v ninja >/dev/null; then
        if [[ $(id -u) == 0 ]]; then
            apt-get install -y -qq ninja-build >/dev/null || echo "ninja-build could not be installed" >&2
        else
            echo "ninja is missing and is left out: install Debian's ninja-build" >&2
        fi
    fi
fi

python=$venv/bin/python
[[ -x $python ]] || python=${PYTHON:-python3}
cd "$repo"
exec "$python" -m benchmarks.run "$@"
