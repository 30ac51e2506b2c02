#!/usr/bin/env bash
# Ctrl-C once, kill -9 at random moments, and --resume after each: what a program leaves in OUT/models must
# equal, byte for byte, what it leaves when nobody disturbs it.
#   bash tests/support/kill_resume.sh PROGRAM WORK_FOLDER KILLS [options of the program]
# The program takes --out FOLDER and --resume, and keeps its checkpoints in OUT/checkpoints.
set -euo pipefail
program=$1
work=$2
kills=$3
shift 3
options=("$@")
rm -rf "$work"
mkdir -p "$(dirname "$work")"

start=$(date +%s%N)

"$program" "${options[@]}" --out "$work/undisturbed" >"$work.log" 2>&1 ||
  { tail -n 20 "$work.log" >&2; exit 1; }
span_ms=$((($(date +%s%N) - start) / 1000000))

# Ctrl-C: everything is saved, and the message says how to go on.
"$program" "${options[@]}" --out "$work/killed" >"$work.interrupted.log" 2>&1 &
pid=$!
sleep "$(awk -v ms="$span_ms" 'BEGIN { print ms / 4000 }')"
kill -INT "$pid"
status=0
wait "$pid" || status=$?
if [ "$status" -ne 130 ] || ! grep -q -- "--resume" "$work.interrupted.log"; then
  tail -n 5 "$work.interrupted.log" >&2
  echo "Ctrl-C ended the run with status $status, not 130 and a way to go on" >&2
  exit 1
fi
echo "Ctrl-C: saved"

newest_checkpoint() {
  find "$work/killed/checkpoints" -name '*.safetensors' -printf '%T@ %P\n' 2>/dev/null |
    sort -n | tail -n 1 | cut -d' ' -f2
}

# Whether models and tools have answered since the newest checkpoint: its journal has more than a header.
in_a_step() {
  find "$work/killed/journals" -type f -printf '%f %s\n' 2>/dev/null | sort | tail -n 1 |
    awk '{ large = $2 > 1024 } END { exit !large }'
}

compared=0
compare() {
  local file
  while read -r file; do
    cmp "$work/undisturbed/$file" "$work/killed/$file"
    compared=$((compared + 1))
  done < <(cd "$work/undisturbed" && find models -type f | sort)
}

done_kills=0
kills_in_a_step=0
resume=(--resume)
while [ "$done_kills" -lt "$kills" ]; do
  # A share of the undisturbed run's time, so that the kills spread over all phases.
  wait_ms=$(((RANDOM * 32768 + RANDOM) % (2 * span_ms / kills + 100) + 20))
  "$program" "${options[@]}" --out "$work/killed" "${resume[@]}" >>"$work.log" 2>&1 &
  pid=$!
  sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
  if kill -9 "$pid" 2>/dev/null; then
    done_kills=$((done_kills + 1))
    ! in_a_step || kills_in_a_step=$((kills_in_a_step + 1))
    echo "kill $done_kills after $wait_ms ms: $(newest_checkpoint)"
  else
    echo "the run ended before $wait_ms ms; another one begins"
    compare
    rm -rf "$work/killed"
  fi
  wait "$pid" 2>/dev/null || true
  resume=()
  [ -d "$work/killed/checkpoints" ] && resume=(--resume)
done
"$program" "${options[@]}" --out "$work/killed" "${resume[@]}" >>"$work.log" 2>&1 ||
  { tail -n 20 "$work.log" >&2; exit 1; }

compare
[ "$compared" -gt 0 ] || { echo "there are no models to compare" >&2; exit 1; }
echo "$compared files are equal byte for byte after $done_kills kills, $kills_in_a_step of them with rollouts begun since the newest checkpoint"
