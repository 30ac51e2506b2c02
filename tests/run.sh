#!/usr/bin/env bash
# Installs what is missing, builds the tests and runs them.
#   bash tests/run.sh [ctest options]      e.g.  bash tests/run.sh -R model
set -euo pipefail
cd "$(dirname "$0")/.."
bash cmake/install-deps.sh test
echo "== configure"
mkdir -p build
cmake --preset release -DDUALAGENT_BUILD_TESTS=ON -DDUALAGENT_BUILD_BENCHMARKS=OFF >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
echo "== build"
cmake --build --preset release -j "$(nproc)"
echo "== test"
ctest --preset release -j "$(nproc)" "$@"
bash tests/cuda/run.sh
