#!/usr/bin/env bash
# An Answerer with a Python tool and a Summarizer, trained in one process.
#   bash examples/retool_summary/run.sh                                  every part at work on SmolLM2-135M
#   bash examples/retool_summary/run.sh --model DIR --tasks FILE [...]   your own; --help lists the options
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bash "$root/cmake/install-deps.sh" tool

given=" $* "
case $given in
  *" --model "* | *" --help "* | *" -h "*) ;;
  *)
    model=$root/build/models/smollm2-135m
    python3 "$here/prepare_smollm2.py" "$model"
    # Small enough for two cores. A budget of 325 tokens is passed by the second call, so that
    # episodes have a summary. What is given on the command line comes later and counts.
    set -- --model "$model" --tasks "$here/tasks/train.jsonl" --eval-tasks "$here/tasks/held_out.jsonl" \
      --budget 325 --context 640 --turn-tokens 80 --summary-tokens 80 --max-turns 8 \
      --warm-start-steps 16 --warm-start-episodes 2 --warm-start-rate 2e-4 \
      --steps 4 --tasks-per-step 4 --group-size 4 --learning-rate 2e-6 \
      --eval-every 2 --eval-samples 2 --save-every 4 "$@"
    echo "The example's own run: $*"
    ;;
esac
exec bash "$root/examples/build_and_run.sh" retool_summary "$@"
