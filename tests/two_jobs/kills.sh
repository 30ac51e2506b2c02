#!/usr/bin/env bash
# Trains the pair of examples/two_jobs twice from one warm start: once undisturbed, once with each of its
# four processes killed. Both must end with the same models, byte for byte.
#   kills.sh PROGRAM FOLDER_OF_A_QUICKSTART OUT
set -euo pipefail
program=$1 quickstart=$2 out=$3
options=(--steps 3 --tasks-per-step 2 --eval-tasks 4)
rm -rf "$out"
for run in undisturbed killed; do
  mkdir -p "$out/$run/models"
  cp -r "$quickstart/models/warm_start" "$out/$run/models/"
done

fail() {
  echo "$*" >&2
  cat "$out"/*.log >&2
  exit 1
}

"$program" "${options[@]}" --out "$out/undisturbed" >"$out/undisturbed.log" 2>&1 || fail "the undisturbed run failed"

# A line of the Answerer's learner says that a step is done: then the next one is about to be played.
killed=()
while IFS= read -r line; do
  echo "$line" >>"$out/killed.log"
  case $line in
    *"answerer: 1/3"*) roles=(service summarizer) ;;
    *"answerer: 2/3"*) roles=(store answerer) ;;
    *) continue ;;
  esac
  [[ " ${killed[*]-} " != *" ${roles[0]} "* ]] || continue  # a learner that was killed says it again
  killed+=("${roles[@]}")
  for role in "${roles[@]}"; do kill -9 "$(cat "$out/killed/$role.lock")"; done
done < <("$program" "${options[@]}" --out "$out/killed" 2>&1 || echo "status $?")

[ "${#killed[@]}" = 4 ] || fail "killed only: ${killed[*]-}"
for role in store service answerer summarizer; do
  grep -q "^$role: ended with status 0, started again 1 time$" "$out/killed.log" || fail "$role was not started again"
done
for run in undisturbed killed; do
  grep -q "between sampling and training: 0$" "$out/$run.log" || fail "the $run run sampled from other weights"
done
for agent in answerer summarizer; do
  a=$out/undisturbed/models/two_jobs/$agent/model.safetensors
  cmp "$a" "$out/killed/models/two_jobs/$agent/model.safetensors" || fail "the ${agent}s differ"
  ! cmp -s "$a" "$quickstart/models/warm_start/answerer/model.safetensors" || fail "the $agent has learned nothing"
done
echo "killed: ${killed[*]}; both runs end with the same models"
