#!/usr/bin/env bash
# Sets up kwdag and runs its demo:  bash examples/quickstart.sh [FOLDER]
# FOLDER is where the demo works (default: a new temporary one); KWDAG_VENV=DIR puts the environment elsewhere.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../tools/setup.sh"

use_venv
folder=${1:-$(mktemp -d "${TMPDIR:-/tmp}/kwdag-demo.XXXXXX")}
mkdir -p "$folder"
cd "$folder"
echo "running 'kwdag demo' in $PWD"
kwdag demo
echo "kwdag is installed: $venv/bin/kwdag --help"
