#!/usr/bin/env bash
# retool_summary on a real model is disturbed and resumed (tests/support/kill_resume.sh), and must end with
# the same directories: a warm start, then two adapters over one base.
#   bash tests/retool_summary/kill_resume.sh MODEL_FOLDER [KILLS] [retool_summary options]
# Default: 3 kills of two steps. RETOOL_SUMMARY names a program that is built already.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
model=$1
kills=${2:-3}
shift
shift || true
[ $# -gt 0 ] || set -- --pair adapters --budget 325 --context 512 --turn-tokens 24 --summary-tokens 24 \
  --max-turns 3 --warm-start-steps 2 --warm-start-episodes 1 --warm-start-rate 2e-4 \
  --steps 2 --tasks-per-step 1 --group-size 2 --learning-rate 1e-3 --reward reference --threads 2
program=${RETOOL_SUMMARY:-}
if [ -z "$program" ]; then
  bash "$root/examples/retool_summary/run.sh" --help >/dev/null  # builds
  program=$root/build/retool_summary/examples/retool_summary
fi
exec bash "$root/tests/support/kill_resume.sh" "$program" "$root/build/kill_resume_retool_summary" "$kills" \
  --model "$model" --tasks "$root/examples/retool_summary/tasks/train.jsonl" --save-every 1 "$@"
