# Sourced by examples/quickstart.sh and tests/run.sh: what a fresh machine lacks.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=${KWDAG_VENV:-$repo/.venv}
venv=${venv%/}
[[ $venv == /* ]] || venv=$PWD/$venv

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# install_debian PACKAGE...: as root on Debian; elsewhere it says what is missing and fails.
install_debian() {
    if [[ $EUID != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "${0##*/}: missing: $* (on Debian, as root: apt-get install $*)" >&2
        return 1
    fi
    echo "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq --no-install-recommends "$@" >/dev/null
}

# A moved or copied environment has scripts that start another one's python.
venv_works() {
    grep -qsF "$venv/bin/" "$venv/bin/pip" && "$venv/bin/pip" --version >/dev/null 2>&1
}

make_venv() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "python3 must be 3.11 or newer"
    python3 -c 'import ensurepip' 2>/dev/null || install_debian python3-venv || exit 1
    [[ -z $(ls -A "$venv" 2>/dev/null) || -e $venv/.kwdag ]] || die "$venv is no working environment and not ours to replace"
    rm -rf "$venv"
    mkdir -p "$venv" && touch "$venv/.kwdag" && python3 -m venv "$venv" || die "cannot make $venv"
}

install_kwdag() {
    venv_works || make_venv
    local pip=("$venv/bin/pip" install --quiet --disable-pip-version-check -c "$repo/constraints.txt")
    # Without isolation the build, too, uses the pinned setuptools.
    "${pip[@]}" setuptools && "${pip[@]}" --no-build-isolation -e "$1" || die "pip could not install $1"
}

# use_venv [EXTRA]: puts kwdag, editable, in $venv and that first on PATH; quick where nothing changed since.
use_venv() {
    local target=$repo${1:+[$1]} stamp=$venv/.kwdag-${1:-core} wanted
    wanted=$(echo "$target" | cat - "$repo/pyproject.toml" "$repo/constraints.txt" | cksum)
    if [[ ! -x $venv/bin/python || $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
        echo "installing $target in $venv"
        install_kwdag "$target"
        echo "$wanted" >"$stamp"
    fi
    export PATH=$venv/bin:$PATH
}
