"""Shapes of bench.hpp, options, timing and reports of the Python sides of the benchmarks."""

import argparse
import json
import statistics
import time

SHAPES = {
    "tiny": dict(vocab=512, width=128, layers=4, heads=4, hidden=352, rows=[256] * 4),
    "quickstart": dict(vocab=79, width=64, layers=3, heads=4, hidden=160,
                       rows=[80 + r * 7 % 32 for r in range(32)]),
}


def parse_options(**extra):
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--threads", type=int, default=1)
    for name, default in extra.items():
        parser.add_argument("--" + name, type=int, default=default)
    return parser.parse_args()


def median_seconds(warm_up, repeats, body, now=time.perf_counter):
    seconds = []
    for _ in range(warm_up + repeats):
        begin = now()
        body()
        seconds.append(now() - begin)
    return statistics.median(seconds[warm_up:])


def report(benchmark, threads, value, side="torch"):
    print(json.dumps({"benchmark": benchmark, "side": side, "threads": threads,
                      "value": round(value, 1), "unit": "tokens/s"}))
