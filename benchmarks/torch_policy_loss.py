"""GRPO's clipped loss, forward and backward, float32, with torch: policy_loss_bench.cpp's other side.

On logits (--width 0): log_softmax and gather, or with --rowwise 1 a logsumexp of each row, as TRL has
it. From hidden states: the product, then the same.
Prints milliseconds, the peak of memory above inputs (and above the gradients of hidden states and
head), loss and norm of the gradients.
"""

import argparse
import json
import os
import time

import numpy
import torch

parser = argparse.ArgumentParser()
for name, default in dict(width=0, rows=4096, vocab=32768, threads=1, repeats=3, rowwise=0).items():
    parser.add_argument("--" + name, type=int, default=default)
options = parser.parse_args()
torch.set_num_threads(options.threads)


def uniform(stream, first, count):
    """Numbers of policy_loss_bench.cpp's `uniform`: [-0.5, 0.5), exact in float32."""
    with numpy.errstate(over="ignore"):
        z = numpy.arange(first, first + count, dtype=numpy.uint64) + numpy.uint64(stream << 40)
        z *= numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = (z ^ (z >> numpy.uint64(31))) >> numpy.uint64(40)
    return z.astype(numpy.float32) * numpy.float32(2.0 ** -24) - numpy.float32(0.5)


def matrix(stream, rows, columns, scale):
    result = torch.empty(rows, columns)
    for row in range(rows):
        result[row] = torch.from_numpy(numpy.float32(scale) * uniform(stream, row * columns, columns))
    return result


def status_mib(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return float(line.split()[1]) / 1024


def busy():
    """Seconds that the machine's processors were busy, and those of them that were ours."""
    user, nice, system, _, _, irq, soft, stolen = map(float, open("/proc/stat").readline().split()[1:9])
    own = os.times()
    return (user + nice + system + irq + soft + stolen) / 100, own.user + own.system


def measure(body, prepare=lambda: None):
    """Median seconds, peak of memory in MiB above what there was, cores that others kept busy."""
    seconds, extra, others = [], 0.0, 0.0
    for repeat in range(options.repeats + 1):  # the first one warms up
        prepare()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before, busy_before, begin = status_mib("VmRSS"), busy(), time.perf_counter()
        body()
        took, busy_after = time.perf_counter() - begin, busy()
        extra = max(extra, status_mib("VmHWM") - before)
        if repeat > 0:
            seconds.append(took)
            others += busy_after[0] - busy_before[0] - (busy_after[1] - busy_before[1])
    return sorted(seconds)[len(seconds) // 2], extra, max(0.0, others / sum(seconds))


def report(benchmark, measured, loss=0.0, gradient=0.0, apart=0.0):
    seconds, extra, foreign = measured
    print(json.dumps(dict(benchmark=benchmark, side="torch", threads=options.threads,
                          value=round(seconds * 1e3, 2), unit="ms", extra_mib=round(extra - apart, 2),
                          foreign=round(foreign, 2), loss=loss, gradient=gradient)))


T, V, D = options.rows, options.vocab, options.width
target = torch.arange(T) * 7919 % V
old_log_prob = torch.from_numpy(-10.5 + 2 * uniform(3, 0, T))
advantage = torch.from_numpy(0.5 + 2 * uniform(4, 0, T))


def policy_loss(logits):
    if options.rowwise:
        log_sum = torch.stack([torch.logsumexp(row, -1) for row in logits])
        log_prob = logits.gather(-1, target[:, None])[:, 0] - log_sum
    else:
        log_prob = torch.log_softmax(logits, -1).gather(-1, target[:, None])[:, 0]
    ratio = torch.exp(log_prob - old_log_prob)
    return torch.maximum(-ratio * advantage, -ratio.clamp(0.8, 1.28) * advantage).sum() / T


def norm(*tensors):
    return sum(float((row.double() ** 2).sum()) for t in tensors for row in t) ** 0.5


found = {}
small = torch.zeros(8, 64, requires_grad=True)  # loads what the first call loads
(torch.log_softmax(small @ torch.ones(64, 64), -1).logsumexp(-1).sum()).backward()

if D == 0:
    logits = matrix(0, T, V, 4.0).requires_grad_(True)

    def forget():
        logits.grad = None

    def step():
        loss = policy_loss(logits)
        loss.backward()
        found["loss"] = loss.item()

    measured = measure(step, forget)
    report("on_logits_rowwise" if options.rowwise else "on_logits", measured, found["loss"],
           norm(logits.grad))
else:
    hidden = matrix(1, T, D, 3.5).requires_grad_(True)
    scale = numpy.float32(3.5) / numpy.sqrt(numpy.float32(D))
    weights = matrix(2, V, D, scale).requires_grad_(True)

    def forget():
        hidden.grad = weights.grad = None

    def step():
        loss = policy_loss(hidden @ weights.T)
        loss.backward()
        found["loss"] = loss.item()

    measured = measure(step, forget)
    report(f"head_{D}", measured, found["loss"], norm(hidden.grad, weights.grad),
           apart=4 * D * (T + V) / 2 ** 20)

    # The limit: its three products on whole matrices.
    with torch.no_grad():
        logits, d_hidden, d_weights = torch.zeros(T, V), torch.zeros(T, D), torch.zeros(V, D)

        def products():
            torch.mm(hidden, weights.T, out=logits)
            torch.mm(logits.T, hidden, out=d_weights)
            torch.mm(logits, weights, out=d_hidden)

        report(f"head_{D}_products", measure(products))
