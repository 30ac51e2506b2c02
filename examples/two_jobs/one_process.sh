#!/usr/bin/env bash
# Does in one process what a run of run.sh did in four, and compares the models. Same options.
set -euo pipefail
exec bash "$(dirname "$0")/../build_and_run.sh" two_jobs_in_one_process "$@"
