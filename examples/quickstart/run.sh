#!/usr/bin/env bash
# Builds and runs the quickstart: trains a pair of agents and writes a report.
#   bash examples/quickstart/run.sh [options]      --help lists them
exec bash "$(dirname "$0")/../build_and_run.sh" quickstart "$@"
