#!/usr/bin/env bash
# Makes sure that what a build needs is installed; says nothing if it is.
#   install-deps.sh build | test | ci
# As root, or with sudo that asks for no password, it installs with apt-get; otherwise it prints
# the exact command and fails.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }
have_header() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]; }
gxx_is_new_enough() {
  have g++ && [ "$(g++ -dumpversion | cut -d. -f1)" -ge 12 ]
}

set_name=${1:-build}
missing=()
need() { missing+=("$@"); }

if ! gxx_is_new_enough; then need g++; fi
have make || need make
have cmake || need cmake
have ccache || need ccache
have_header nlohmann/json.hpp || need nlohmann-json3-dev
if [ "$set_name" != build ]; then
  have_header catch2/catch.hpp || have_header catch2/catch_all.hpp || need catch2
fi
if [ "$set_name" = ci ]; then
  have clang++ || need clang
  have clang-format || need clang-format
  if have clang++ && [ ! -d "$(clang++ -print-resource-dir)/lib/linux" ]; then
    need "libclang-rt-$(clang++ -dumpversion | cut -d. -f1)-dev"
  elif ! have clang++; then
    need libclang-rt-14-dev
  fi
fi
[ ${#missing[@]} -eq 0 ] && exit 0

command="apt-get install -y --no-install-recommends ${missing[*]}"
if ! have apt-get; then
  echo "These packages are missing: ${missing[*]}" >&2
  echo "Install them with your system's package manager and run the command again." >&2
  exit 2
fi
if [ "$(id -u)" -eq 0 ]; then
  sudo=()
elif have sudo && sudo -n true 2>/dev/null; then
  sudo=(sudo)
else
  echo "These packages are missing: ${missing[*]}" >&2
  echo "Install them and run the command again:" >&2
  echo "  sudo apt-get update && sudo $command" >&2
  exit 2
fi
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { "${sudo[@]}" apt-get update -q && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive $command; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "The installation failed; the command was: $command" >&2
  exit 2
fi
rm -f "$log"
if ! gxx_is_new_enough; then
  echo "g++ is $(g++ -dumpversion), but C++20 coroutines need g++ 12 or newer." >&2
  exit 2
fi
