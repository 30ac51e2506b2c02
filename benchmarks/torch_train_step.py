"""One supervised training step (forward, backward, fused AdamW) in float32 with torch.

Ragged rows are padded at their ends, where a causal model needs no mask but the loss's; tokens per
second count the tokens without the padding.
"""

import torch
import torch.nn.functional as F

from bench import SHAPES, Llama, median_seconds, parse_options, report

options = parse_options(repeats=30)
shape = SHAPES[options.shape]
model = Llama(shape)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
rows = shape["rows"]
tokens = torch.randint(shape["vocab"], (len(rows), max(rows)))
targets = tokens[:, 1:].clone()
for row, size in enumerate(rows):
    targets[row, size - 1:] = -100  # ignored by cross_entropy
targets = targets.reshape(-1)


def step():
    optimizer.zero_grad(set_to_none=True)
    hidden = model(tokens)[:, :-1]
    logits = model.head(hidden).reshape(-1, shape["vocab"])
    F.cross_entropy(logits, targets, ignore_index=-100).backward()
    optimizer.step()


seconds = median_seconds(5, options.repeats, step)
report("train_" + options.shape, options.threads, sum(rows) / seconds)
