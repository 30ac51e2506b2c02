#!/usr/bin/env bash
# Trains the quickstart's pair on several ranks of this host, from the quickstart's warm start, which is
# made first where it is missing.
#   bash examples/ranks/run.sh [--ranks 2] [--steps 20] [--out quickstart-out]
set -euo pipefail
here=$(dirname "$0")
out=quickstart-out
arguments=("$@")
for ((i = 0; i + 1 < $#; ++i)); do
  [ "${arguments[i]}" != --out ] || out=${arguments[i + 1]}
done
[ -e "$out/models/warm_start/answerer" ] ||
  bash "$here/../build_and_run.sh" quickstart --only warm_start --out "$out"
exec bash "$here/../build_and_run.sh" ranks "$@"
