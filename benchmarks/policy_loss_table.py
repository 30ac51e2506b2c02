"""Medians of policy_loss.sh's lines; fails where the two sides do not find the same.

Runs during which others kept more than QUIET of a core busy are left out where there are quieter ones.
"""

import json
import statistics
import sys

QUIET = 0.1
runs = {}
for line in open(sys.argv[1]):
    run = json.loads(line)
    runs.setdefault((run["benchmark"], run["threads"]), {}).setdefault(run["side"], []).append(run)


def quiet(side):
    return [run for run in side if run["foreign"] <= QUIET] or side


def median(side, key):
    return statistics.median(run[key] for run in quiet(side)) if side else None


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(a, b):
    return None if not a or not b else a / b


print(f"{'':20} {'threads':>7} {'ours ms':>9} {'torch ms':>9} {'ratio':>6} "
      f"{'ours MiB':>9} {'torch MiB':>9} {'of torch':>8} {'foreign':>7}")
for (name, threads), sides in sorted(runs.items()):
    if name.endswith("_products"):
        continue
    ours = runs[name.removesuffix("_rowwise"), threads].get("ours")
    torch = sides.get("torch")
    a, b = median(ours, "value"), median(torch, "value")
    memory, torch_memory = median(ours, "extra_mib"), median(torch, "extra_mib")
    part = ratio(torch_memory, memory)
    foreign = max(run["foreign"] for side in sides.values() for run in quiet(side))
    print(f"{name:20} {threads:7} {number(a):>9} {number(b):>9} {number(ratio(b, a), 2):>6} "
          f"{number(memory, 1):>9} {number(torch_memory, 1):>9} "
          f"{'-' if not part else '1/' + number(part):>8} {foreign:7.2f}")

for (name, threads), sides in sorted(runs.items()):
    products = runs.get((name + "_products", threads))
    if products:
        own = ratio(median(sides.get("ours"), "value"), median(products.get("ours"), "value"))
        theirs = ratio(median(sides.get("ours"), "value"), median(products.get("torch"), "value"))
        print(f"{name}, {threads} thread(s): {number(own, 2)} of its three products by our gemm "
              f"({number(median(products.get('ours'), 'value'))} ms), {number(theirs, 2)} of torch's "
              f"({number(median(products.get('torch'), 'value'))} ms)")

wrong = []
for (name, threads), sides in runs.items():
    for key in ("loss", "gradient"):
        found = [run[key] for side in sides.values() for run in side]
        if max(found) - min(found) > 1e-5 * max(map(abs, found)):
            wrong.append(f"{name}, {threads} thread(s): {key} is {sorted(set(found))}")
print("\n".join(wrong) or "Both sides find the same loss and the same norm of its gradients to 1e-5.")
sys.exit(bool(wrong))
