#!/usr/bin/env bash
# One GRPO step of a real model, ours and TRL's, in turn: seconds for each sampled token, and their ratio.
#   PYTHON=venv/bin/python bash benchmarks/grpo_step.sh MODEL_FOLDER [GROUPS] [GROUP_SIZE] [TURN_TOKENS] [THREADS]
# Default: 8 groups of 8 rollouts, 64 tokens, 2 threads. GRPO_STEP names a grpo_step_bench that is built already. A third line is
# ours alone with two turns and a summary between them. Models end their turns at different tokens: hence by token.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
model=$1
groups=${2:-8} size=${3:-8} tokens=${4:-64} threads=${5:-2}
bench=${GRPO_STEP:-}
if [ -z "$bench" ]; then
  (cd "$root" && cmake --preset release -DDUALAGENT_BUILD_TESTS=OFF >/dev/null &&
    cmake --build --preset release --target grpo_step_bench >/dev/null)
  bench=$root/build/release/benchmarks/grpo_step_bench
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run_ours() {
  "$bench" --model "$model" --tasks "$root/examples/retool_summary/tasks/train.jsonl" --groups "$groups" \
    --group-size "$size" --turn-tokens "$tokens" --threads "$threads" "$@"
}
run_ours --prompts-out "$work/prompts.jsonl" | tee "$work/lines"
OMP_NUM_THREADS=$threads "${PYTHON:-python3}" "$root/benchmarks/trl_step.py" "$model" "$work/prompts.jsonl" \
  "$threads" "$size" "$tokens" 2>"$work/trl.log" | grep '^{"side"' | tee -a "$work/lines" ||
  { tail -n 20 "$work/trl.log" >&2; exit 1; }
run_ours --turns 2 --budget 200
python3 - "$work/lines" <<'END'
import json, sys
ours, trl = [json.loads(line) for line in open(sys.argv[1])]
cost = [side["seconds"] / side["sampled_tokens"] for side in (ours, trl)]
print(f"seconds for each sampled token: ours {cost[0]:.4f}, TRL {cost[1]:.4f}, {cost[1] / cost[0]:.2f} times")
END
