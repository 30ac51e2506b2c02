#!/usr/bin/env python3
"""The tokenizers package beside build/release/benchmarks/tokenizer_bench, one thread, in turn, by the
processor's time, which other programs on the machine take nothing of.

    tokenizer_bench.py PROGRAM TOKENIZER_JSON TEXT... [--rounds N]
"""
import json
import os
import statistics
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer  # noqa: E402 (after the environment)


def documents(data):
    """Of 2 kB each, up to the end of a line, as tokenizer_bench.cpp cuts them."""
    found, at = [], 0
    while at < len(data):
        end = data.find(b"\n", at + 2000)
        end = len(data) if end < 0 else end + 1
        found.append(data[at:end].decode())
        at = end
    return found


def package_speed(tokenizer, texts, megabytes):
    begin = time.process_time()
    tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return megabytes / (time.process_time() - begin)


def main():
    arguments = sys.argv[1:]
    rounds = 5
    if "--rounds" in arguments:
        at = arguments.index("--rounds")
        rounds = int(arguments[at + 1])
        del arguments[at:at + 2]
    program, path, *names = arguments
    tokenizer = Tokenizer.from_file(path)
    tokenizer.encode_special_tokens = True
    for name in names:
        with open(name, "rb") as file:
            data = file.read()
        texts = documents(data)
        ours, theirs = {}, []
        package_speed(tokenizer, texts, len(data) * 1e-6)  # its cache is warm, too
        for _ in range(rounds):
            out = subprocess.run([program, "--tokenizer", path, "--text", name], check=True, capture_output=True, text=True).stdout
            for line in map(json.loads, out.splitlines()):
                ours.setdefault(line["benchmark"], []).append(line["value"])
            theirs.append(package_speed(tokenizer, texts, len(data) * 1e-6))
        median = {key: statistics.median(values) for key, values in ours.items()}
        package = statistics.median(theirs)
        print(f"{os.path.basename(name)}: ours {median['tokenizer_warm']:.1f} MB/s, cold {median['tokenizer_cold']:.1f}; the package {package:.1f} MB/s; "
              f"ratio {median['tokenizer_warm'] / package:.1f}; load {median['tokenizer_load']:.0f} ms")


main()
