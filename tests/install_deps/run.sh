#!/usr/bin/env bash
# cmake/install-deps.sh on a machine that lacks ccache, with an apt-get of our own: no package is
# installed and nothing is waited for.
#   run.sh FOLDER      a scratch folder, emptied first
set -euo pipefail
script=$(cd "$(dirname "$0")/../.." && pwd)/cmake/install-deps.sh
folder=$1
[ -e /usr/include/nlohmann/json.hpp ] || [ -e /usr/local/include/nlohmann/json.hpp ] ||
  { echo "install_deps: not run, nlohmann_json is not installed in /usr"; exit 0; }
fail() { echo "$1"; cat "$folder/output"; exit 1; }

# A PATH on which every command is found but ccache, until apt-get has installed it.
fresh_machine() { # LOCKED: how many calls of apt-get find a lock held
  rm -rf "$folder"
  mkdir -p "$folder/bin"
  local name
  for name in bash cat cut env grep head mktemp rm sed sort tail g++ make cmake; do
    ln -s "$(command -v "$name")" "$folder/bin/$name"
  done
  echo 'echo 0' >"$folder/bin/id"
  echo "echo \"\$1\" >>'$folder/sleeps'" >"$folder/bin/sleep"
  cat >"$folder/bin/apt-get" <<SCRIPT
echo "\$*" >>'$folder/calls'
if [ \$(wc -l <'$folder/calls') -le $1 ]; then
  echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2
  exit 100
fi
case "\$*" in
  install*ccache*) echo >'$folder/bin/ccache'; chmod +x '$folder/bin/ccache' ;;
esac
SCRIPT
  ln -s "$(command -v wc)" "$(command -v chmod)" "$folder/bin"
  chmod +x "$folder"/bin/{id,sleep,apt-get}
  sed -i '1i #!/bin/bash' "$folder"/bin/{id,sleep,apt-get}
  : >"$folder/calls"
  : >"$folder/sleeps"
}
install() { PATH=$folder/bin bash "$script" build >"$folder/output" 2>&1; }

fresh_machine 0
install || fail "the installation failed"
grep -q '^Installing .*ccache' "$folder/output" || fail "it does not say what it installs"
[ ! -s "$folder/sleeps" ] || fail "it waited although nothing holds a lock"
install && [ ! -s "$folder/output" ] || fail "it is not silent where nothing is missing"

fresh_machine 3
install || fail "it did not wait for the lock"
[ "$(wc -l <"$folder/sleeps")" = 3 ] || fail "it did not wait once for each held lock"
[ "$(grep -c '^Waiting for another program' "$folder/output")" = 1 ] || fail "it says once that it waits"

fresh_machine 100000
! install || fail "it waits forever"
grep -q 'Could not get lock' "$folder/output" || fail "it does not show apt's error"

fresh_machine 0
sed -i '2i echo "E: Unable to locate package" >\&2; exit 100' "$folder/bin/apt-get"
! install || fail "a failed apt-get is taken for a success"
[ ! -s "$folder/sleeps" ] || fail "it waits after an error that is not a lock"
