#!/usr/bin/env bash
# Trains the pair of examples/two_jobs as a cluster would: each job has a program of its own. Each of these is
# killed once, with all its processes, and started again; the Summarizer's job then serves at other ports. The
# models must be those of a run that nobody disturbed, byte for byte.
#   preemptions.sh PROGRAM OUT_OF_kills.sh OUT
set -euo pipefail
program=$1 undisturbed=$2/undisturbed out=$3
options=(--steps 3 --tasks-per-step 2 --eval-tasks 4 --out "$out")
rm -rf "$out"
mkdir -p "$out/models"
cp -r "$undisturbed/models/warm_start" "$out/models/"

declare -A job
trap 'kill "${job[@]}" 2>/dev/null || true' EXIT
fail() {
  echo "$*" >&2
  cat "$out"/*.log >&2
  exit 1
}

start() {
  local host=()
  [ "$1" = answerer ] || host=(--host localhost)
  "$program" "${options[@]}" --job "$1" "${host[@]}" >>"$out/$1.log" 2>&1 &
  job[$1]=$!
}

preempt() {  # a job, its processes: the program first, or it would start them again
  kill -9 "${job[$1]}" || true
  for role in "${@:2}"; do kill -9 "$(cat "$out/$role.lock")" || true; done
  wait "${job[$1]}" 2>/dev/null || true
  start "$1"
}

until_answerer_says() {
  until grep -q "$1" "$out/answerer.log"; do
    kill -0 "${job[answerer]}" || fail "the Answerer's job ended and did not say: $1"
    kill -0 "${job[summarizer]}" || fail "the Summarizer's job ended before the Answerer's said: $1"
    sleep 0.02
  done
}

start answerer
start summarizer
until [ -e "$out/options.json" ]; do sleep 0.02; done
if "$program" "${options[@]}" --steps 4 --job answerer >"$out/other.txt" 2>&1; then
  fail "a job with other steps was not refused"
fi
grep -q "other options: --steps was 3 and is 4" "$out/other.txt" || fail "$(cat "$out/other.txt")"
until_answerer_says "answerer: 1/3"  # then the next step is about to be played
preempt summarizer store service summarizer
until_answerer_says "what was served at"  # it has moved
until_answerer_says "answerer: 2/3"
preempt answerer answerer
for name in answerer summarizer; do
  wait "${job[$name]}" || fail "the job of the $name ended with status $?"
done

[ "$(stat -c %a "$out/token")" = 600 ] || fail "others may read the token"
for agent in answerer summarizer; do
  cmp "$undisturbed/models/two_jobs/$agent/model.safetensors" "$out/models/two_jobs/$agent/model.safetensors" || fail "the ${agent}s differ"
done
grep -q "between sampling and training: 0$" "$out/summarizer.log" || fail "no evaluation"
echo "each job was preempted; both models are those of the undisturbed run"
