"""What gpu_bench.cu measures, with torch, eager and compiled, and the head's three products alone.

One JSON object per line; see gpu.sh. What does not fit into memory is reported as such.
"""

import argparse
import json
import statistics
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda")
for name, default in {"rows": 8192, "vocab": 151936, "head-rows": 16384, "width": 1024,
                      "repeats": 7}.items():
    parser.add_argument("--" + name, type=int, default=default)
options = parser.parse_args()
device = torch.device(options.device)
on_gpu = device.type == "cuda"
torch.manual_seed(time.time_ns())


def milliseconds(body):
    """Median of `repeats` calls after two that warm up (and compile)."""
    times = []
    for repeat in range(options.repeats + 2):
        if on_gpu:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            body()
            end.record()
            end.synchronize()
            took = begin.elapsed_time(end)
        else:
            start = time.perf_counter()
            body()
            took = (time.perf_counter() - start) * 1e3
        if repeat >= 2:
            times.append(took)
    return statistics.median(times)


def report(benchmark, side, body):
    """Also the peak of memory above what there was."""
    line = dict(benchmark=benchmark, side=side)
    try:
        before = torch.cuda.memory_allocated() if on_gpu else 0
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        line["ms"] = milliseconds(body)
        if on_gpu:
            line["extra_mib"] = round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)
    except torch.OutOfMemoryError:
        line["failed"] = "out of memory"
        torch.cuda.empty_cache()
    print(json.dumps(line), flush=True)


def log_prob_and_entropy(logits, target):
    log_p = torch.log_softmax(logits.float(), -1)
    return log_p.gather(-1, target[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1)


def policy_loss(logits, target, old_log_prob, advantage):
    log_prob = torch.log_softmax(logits.float(), -1).gather(-1, target[:, None])[:, 0]
    ratio = torch.exp(log_prob - old_log_prob)
    return torch.maximum(-ratio * advantage, -ratio.clamp(0.8, 1.2) * advantage).sum()


def head_loss(hidden, weights, *columns):
    return policy_loss(hidden @ weights.T, *columns)


def uniform(*shape, scale):
    return ((torch.rand(*shape, device=device) - 0.5) * scale).bfloat16()


def columns(rows):
    """As gpu_bench.cu has them: no row is clipped."""
    typical = -torch.log(torch.tensor(float(options.vocab))).to(device)
    return (torch.randint(options.vocab, (rows,), device=device),
            typical + 4.5 + torch.rand(rows, device=device), torch.randn(rows, device=device).abs())


def forward_and_backward(loss, inputs, *rest):
    def body():
        for tensor in inputs:
            tensor.grad = None
        loss(*inputs, *rest).backward()

    return body


sides = (("torch", lambda f: f), ("torch.compile", torch.compile))
target, old_log_prob, advantage = columns(options.rows)
logits = uniform(options.rows, options.vocab, scale=8)
for side, made in sides:
    function = made(log_prob_and_entropy)
    report("log-probability and entropy, bf16 logits", side, lambda: function(logits, target))
logits.requires_grad_(True)
for side, made in sides:
    report("policy loss on bf16 logits", side,
           forward_and_backward(made(policy_loss), [logits], target, old_log_prob, advantage))
del logits

hidden = uniform(options.head_rows, options.width, scale=3.5).requires_grad_(True)
weights = uniform(options.vocab, options.width,
                  scale=3.5 / options.width**0.5).requires_grad_(True)
rest = columns(options.head_rows)
for side, made in sides:
    report("head, bf16", side, forward_and_backward(made(head_loss), [hidden, weights], *rest))
hidden.grad = weights.grad = None

with torch.no_grad():
    def products():
        gradient = hidden @ weights.T
        return gradient.T @ hidden, gradient @ weights

    report("three products, bf16", "torch", products)
