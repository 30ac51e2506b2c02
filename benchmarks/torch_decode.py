"""Greedy decoding with a preallocated cache in float32 with torch: 16 prompt and 128 new tokens."""

import torch

from bench import SHAPES, Llama, median_seconds, parse_options, report

PROMPT, NEW = 16, 128
options = parse_options(repeats=5, sequences=64)
shape = SHAPES[options.shape]
model = Llama(shape).eval()
rows, heads = options.sequences, shape["heads"]
prompts = torch.randint(shape["vocab"], (rows, PROMPT))
caches = [(torch.empty(rows, heads, PROMPT + NEW, shape["width"] // heads),
           torch.empty(rows, heads, PROMPT + NEW, shape["width"] // heads))
          for _ in range(shape["layers"])]


@torch.inference_mode()
def decode():
    tokens = prompts
    start = 0
    for _ in range(NEW):
        hidden = model(tokens, caches, start)
        start += tokens.shape[1]
        tokens = model.head(hidden[:, -1:]).argmax(dim=-1)


seconds = median_seconds(1, options.repeats, decode)
report(f"decode_{options.shape}_{rows}", options.threads, rows * NEW / seconds)
