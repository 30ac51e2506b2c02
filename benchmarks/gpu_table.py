"""The table of gpu.sh's lines: times, ratios to torch, and shares of the device's limits."""

import json
import sys

runs = {}
for line in open(sys.argv[1]):
    run = json.loads(line)
    runs.setdefault(run["benchmark"], {})[run["side"]] = run


def value(name, side, key):
    return runs.get(name, {}).get(side, {}).get(key)


def number(x, digits=2):
    return "-" if x is None else f"{x:,.{digits}f}"


def ratio(a, b):
    return None if not a or not b else a / b


copy = value("copy", "ours", "gb_per_s")
rate = value("matrix rate", "ours", "tflops")
print(f"copy {number(copy, 0)} GB/s, bf16 products {number(rate, 0)} TFLOP/s")
print(f"{'':42} {'ours ms':>9} {'of limit':>8} {'torch ms':>9} {'ratio':>6} {'compiled':>9} {'ratio':>6} "
      f"{'error':>8} {'MiB':>8} {'torch':>8}")
for name, sides in runs.items():
    if name in ("copy", "matrix rate") or "ours" not in sides:
        continue
    ours = sides["ours"]
    share = ratio(ours.get("gb_per_s"), copy) or ratio(ours.get("tflops"), rate)
    eager, compiled = (value(name, side, "ms") for side in ("torch", "torch.compile"))
    error = ours.get("error")
    print(f"{name:42} {number(ours['ms']):>9} {'-' if share is None else f'{share:.0%}':>8} "
          f"{number(eager):>9} {number(ratio(eager, ours['ms'])):>6} {number(compiled):>9} "
          f"{number(ratio(compiled, ours['ms'])):>6} {'-' if error is None else f'{error:.0e}':>8} "
          f"{number(ours.get('extra_mib'), 0):>8} {number(value(name, 'torch', 'extra_mib'), 0):>8}")
products = value("three products, bf16", "torch", "ms")
for name in ("head, bf16", "head, bf16, chunks twice as large", "the head's products alone, bf16",
             "the products, chunks twice as large"):
    if products and value(name, "ours", "ms"):
        print(f"{name}: {value(name, 'ours', 'ms') / products:.2f} of torch's three products ({products:.1f} ms)")
for name, sides in runs.items():
    for side, run in sides.items():
        if "failed" in run:
            print(f"{name}, {side}: {run['failed']}")

bars = {"head, float": 1e-3, "head, bf16": 2e-2, "policy loss on bf16 logits": 2e-2,
        "log-probability and entropy, bf16 logits": 1e-3, "global norm": 1e-3}
wrong = [name for name, bar in bars.items() if not (value(name, "ours", "error") or 0.0) <= bar]
print("too far from float64: " + ", ".join(wrong) if wrong else
      "Against float64: at most 1e-3 relative in float, 2e-2 in bf16.")
sys.exit(bool(wrong))
