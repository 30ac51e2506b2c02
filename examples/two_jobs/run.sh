#!/usr/bin/env bash
# Builds and runs the two jobs: an Answerer's and a Summarizer's training, a store and a service.
#   bash examples/two_jobs/run.sh [options]      --help lists them
set -euo pipefail
bash "$(dirname "$0")/../../cmake/install-deps.sh" services
exec bash "$(dirname "$0")/../build_and_run.sh" two_jobs "$@"
