#!/usr/bin/env bash
# Builds and runs the comparison of objectives: one warm start, many recipes, equal budgets.
#   bash examples/objective_sweep/run.sh [options]      --help lists them
exec bash "$(dirname "$0")/../build_and_run.sh" objective_sweep "$@"
