#!/usr/bin/env bash
# Builds and runs the two books: what training the final segment cannot learn.
#   bash examples/two_books/run.sh [options]      --help lists them
exec bash "$(dirname "$0")/../build_and_run.sh" two_books "$@"
