#!/usr/bin/env bash
# Makes sure that what a build needs is installed; says nothing if it is.
#   install-deps.sh build | services | tool | test | ci      services: for programs with stores and services;
#   tool: for programs that run a model's Python and prepare models
# As root, or with sudo that asks for no password, it installs with apt-get, and waits up to ten
# minutes while another program holds apt's locks; otherwise it prints the exact command and fails.
set -euo pipefail

set_name=${1:-build}
case $set_name in build | services | tool | test | ci) ;; *)
  echo "usage: install-deps.sh build | services | tool | test | ci" >&2
  exit 2
  ;;
esac

have() { command -v "$1" >/dev/null 2>&1; }
have_header() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]; }
at_least() { # WANTED VERSION
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}
gxx_is_new_enough() { have g++ && at_least 12 "$(g++ -dumpfullversion)"; }
cmake_is_new_enough() {
  have cmake && at_least 3.24 "$(cmake --version | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')"
}

find_missing() {
  missing=()
  gxx_is_new_enough || missing+=(g++)
  have make || missing+=(make)
  cmake_is_new_enough || missing+=(cmake)
  have ccache || missing+=(ccache)
  have_header nlohmann/json.hpp || missing+=(nlohmann-json3-dev)
  [ "$set_name" != build ] || return 0
  have_header curl/curl.h || have_header "$(uname -m)-linux-gnu/curl/curl.h" || missing+=(libcurl4-openssl-dev)
  have pkg-config || missing+=(pkgconf)
  if [ "$set_name" = services ]; then
    have_header sqlite3.h || missing+=(libsqlite3-dev)
    have_header httplib.h || missing+=(libcpp-httplib-dev)
    return 0
  fi
  # The python tool runs /usr/bin/python3 and bwrap.
  [ -x /usr/bin/python3 ] || missing+=(python3)
  have bwrap || missing+=(bubblewrap)
  if [ "$set_name" = tool ]; then
    have python3 && python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    return 0
  fi
  have_header catch2/catch.hpp || have_header catch2/catch_all.hpp || missing+=(catch2)
  have_header eigen3/Eigen/Core || have_header Eigen/Core || missing+=(libeigen3-dev)
  have_header pcre2.h || missing+=(libpcre2-dev)
  have_header sqlite3.h || missing+=(libsqlite3-dev)
  have_header httplib.h || missing+=(libcpp-httplib-dev)
  [ "$set_name" = ci ] || return 0
  have git || missing+=(git)
  have clang++ || missing+=(clang)
  have_header mpi.h || [ -e "/usr/include/$(uname -m)-linux-gnu/mpi/mpi.h" ] || missing+=(libopenmpi-dev)
  have mpirun || missing+=(openmpi-bin)
  have clang-format || missing+=(clang-format)
  # Sanitizers and libFuzzer of that clang; its version is known once clang is there.
  if have clang++ && [ ! -d "$(clang++ -print-resource-dir)/lib/linux" ]; then
    missing+=("libclang-rt-$(clang++ -dumpversion | cut -d. -f1)-dev")
  fi
}

# apt's own option for this, DPkg::Lock::Timeout, does not wait for the lock of `apt-get update`.
try_until_unlocked() { # LOG COMMAND...
  local log=$1 tries_left=120
  shift
  until LC_ALL=C "$@" >"$log" 2>&1; do
    grep -q 'Could not get lock\|Unable to acquire the dpkg frontend lock' "$log" && [ $tries_left -gt 0 ] || return 1
    [ $tries_left -lt 120 ] || echo "Waiting for another program that is installing packages"
    tries_left=$((tries_left - 1))
    sleep 5
  done
}

install_missing() {
  local install="apt-get install -y --no-install-recommends ${missing[*]}" sudo=() log
  if ! have apt-get; then
    echo "These packages are missing: ${missing[*]}" >&2
    echo "Install them with your system's package manager and run the command again." >&2
    exit 2
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! have sudo || ! sudo -n true 2>/dev/null; then
      echo "These packages are missing: ${missing[*]}" >&2
      echo "Install them and run the command again:" >&2
      echo "  sudo apt-get update && sudo $install" >&2
      exit 2
    fi
    sudo=(sudo)
  fi
  echo "Installing ${missing[*]}"
  log=$(mktemp)
  if ! { try_until_unlocked "$log" "${sudo[@]}" apt-get update -q &&
         try_until_unlocked "$log" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive $install; }; then
    tail -n 20 "$log" >&2
    echo "The installation failed; the command was: $install" >&2
    exit 2
  fi
  rm -f "$log"
}

find_missing
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
install_missing
find_missing  # e.g. the runtime of a clang that was not there before
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
install_missing
find_missing
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
echo "Still missing or too old after the installation: ${missing[*]}" >&2
echo "dualagent needs g++ 12 and cmake 3.24 or newer." >&2
exit 2
