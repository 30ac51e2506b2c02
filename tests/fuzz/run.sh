#!/usr/bin/env bash
# Fuzzes every parser of outside bytes, each target for SECONDS, two at a time.
#   bash tests/fuzz/run.sh [SECONDS] [TARGET...]      e.g.  bash tests/fuzz/run.sh 60 safetensors
# FUZZ_OPTIMISE=-O0 compiles in half of the time; -O1 runs several times as fast.
# FUZZ_SEED: a number repeats the same inputs, as far as the time reaches; without it each run differs.
# Needs clang++ with libFuzzer. Everything made lies in build/fuzz; tests/fuzz/corpus is only read.
# A finding is printed with the command that repeats it, and makes the exit status 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/support/side_by_side.sh
seconds=${1:-60}
shift || true
if ! command -v clang++ >/dev/null 2>&1; then
  echo "fuzz: clang++ is not installed (Debian: apt-get install clang)" >&2
  exit 1
fi
out=build/fuzz
mkdir -p "$out"
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$source" _fuzz.cpp)"); done
fi

# Half of the targets become one program, each under its own name: what they all include and instantiate is
# compiled once. Each target stands in a namespace of its own, after the headers of all.
build() { # HALF: 0 or 1
  local count=${#targets[@]} half=() target
  half=("${targets[@]:$(($1 * count / 2)):$((($1 + 1) * count / 2 - $1 * count / 2))}")
  [ ${#half[@]} -gt 0 ] || return 0
  {
    for target in "${half[@]}"; do grep -h '^#include' "tests/fuzz/${target}_fuzz.cpp"; done | awk '!seen[$0]++'
    for target in "${half[@]}"; do
      printf 'namespace %s_target {\n#include "%s_fuzz.cpp"\n}\n' "$target" "$target"
    done
    echo '#include "entry.cpp"'
  } >"$out/program_$1.cpp"
  clang++ -std=c++20 ${FUZZ_OPTIMISE:--O1} -gline-tables-only -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -I include -I kernels_inl -I examples -I examples/quickstart -I tests/fuzz \
    "$out/program_$1.cpp" -o "$out/program_$1" &&
    for target in "${half[@]}"; do ln -f "$out/program_$1" "$out/$target" || return 1; done
}

fuzz() { # TARGET
  local target=$1 log=$out/$1.log status=0 dictionary=json
  [[ $1 != *_calls ]] || dictionary=calls
  [[ $1 != conversation ]] || dictionary=chat
  [[ $1 != tokenizer_json ]] || dictionary=tokenizer
  mkdir -p "$out/corpus/$target"
  "$out/$target" -max_total_time="$seconds" -seed="${FUZZ_SEED:-0}" -timeout=10 -rss_limit_mb=2048 -max_len=2048 \
    "-dict=tests/fuzz/$dictionary.dict" -print_final_stats=1 -artifact_prefix="$out/$target-finding-" \
    "$out/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
  printf '%-16s %10s executions\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
  [ "$status" -eq 0 ] && return
  tail -n 40 "$log" >&2
  echo "fuzz: $target has a finding; repeat it with $out/$target $out/$target-finding-*" >&2
  return 1
}

side_by_side 2 build 0 1
side_by_side 2 fuzz "${targets[@]}"
