#!/usr/bin/env bash
# The quickstart is disturbed and resumed (tests/support/kill_resume.sh), and must end with the same weights.
#   bash tests/quickstart/kill_resume.sh [KILLS] [quickstart options]
# Default: 5 kills of a short run. The whole run: kill_resume.sh 20 --only dual
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
kills=${1:-5}
shift || true
[ $# -gt 0 ] ||
  set -- --only frozen_summarizer --warm-start-steps 200 --any-warm-start --steps 4 --eval-tasks 10
bash "$root/examples/quickstart/run.sh" --help >/dev/null  # builds
exec bash "$root/tests/support/kill_resume.sh" "$root/build/quickstart/examples/quickstart" \
  "$root/build/kill_resume" "$kills" "$@"
