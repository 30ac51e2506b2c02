#!/usr/bin/env bash
# Trains SmolLM2-135M to keep notes, as Answerer and as Summarizer, and writes a report.
#   bash examples/ledger_smollm2/run.sh --only dual     the trained pair alone
#   bash examples/ledger_smollm2/run.sh                 with its baselines; --help lists the options
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

given=" $* "
case $given in
  *" --model "* | *" --help "* | *" -h "*) ;;
  *)
    bash "$root/cmake/install-deps.sh" tool
    model=$root/build/models/smollm2-135m
    python3 "$here/../retool_summary/prepare_smollm2.py" "$model"
    set -- --model "$model" "$@"
    ;;
esac
exec bash "$root/examples/build_and_run.sh" ledger_smollm2 "$@"
