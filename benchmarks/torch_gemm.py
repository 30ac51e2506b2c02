"""Products of SmolLM2's shapes by torch, one thread; prints GFLOP/s of processor time each, as gemm_bench does.

In bfloat16 all operands and results are bfloat16, which is what torch multiplies fastest.
"""

import argparse
import json
import time

import torch

from shapes import median_seconds

# name: rows, columns, depth, whether the left operand is a transpose (as for gradients of weights)
PRODUCTS = {
    "smollm2_gate_up_64": (64, 3072, 576, False),
    "smollm2_down_64": (64, 576, 1536, False),
    "smollm2_gate_up_512": (512, 3072, 576, False),
    "smollm2_d_gate_up_512": (3072, 576, 512, True),
}

parser = argparse.ArgumentParser()
parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
parser.add_argument("--repeats", type=int, default=200)
options = parser.parse_args()
torch.set_num_threads(1)
dtype = getattr(torch, options.precision)
for name, (rows, columns, depth, transposed) in PRODUCTS.items():
    a = torch.full((depth, rows) if transposed else (rows, depth), 0.5, dtype=dtype)
    if transposed:
        right = torch.full((depth, columns), 0.25, dtype=dtype)
        body = lambda: torch.mm(a.T, right)
    else:
        weight = torch.full((columns, depth), 0.25, dtype=dtype)
        body = lambda: torch.nn.functional.linear(a, weight)
    with torch.no_grad():
        seconds = median_seconds(3, options.repeats, body, time.process_time)
    value = 2e-9 * rows * columns * depth / seconds
    print(json.dumps({"benchmark": "gemm_" + name, "side": "torch", "threads": 1,
                      "value": round(value, 1), "unit": "GFLOP/s"}))
