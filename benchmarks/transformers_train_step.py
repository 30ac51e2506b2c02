"""One supervised training step (forward, backward, fused AdamW) of SmolLM2-135M's shape with
transformers, random weights: what `train_step_bench --shape smollm2 --rows 4 --row-tokens 512` measures of ours.

Prints tokens per second, and on stderr processor time and the peak of resident memory. With bfloat16 weights, gradients
and moments are bfloat16, too. Needs torch and transformers.
"""

import argparse
import resource
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from shapes import median_seconds, report

parser = argparse.ArgumentParser()
parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rows", type=int, default=4)
parser.add_argument("--row-tokens", type=int, default=512)
parser.add_argument("--warm-up", type=int, default=1)
parser.add_argument("--repeats", type=int, default=3)
options = parser.parse_args()

torch.set_num_threads(options.threads)
torch.manual_seed(1)
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=49152, hidden_size=576, num_hidden_layers=30, num_attention_heads=9,
    num_key_value_heads=3, head_dim=64, intermediate_size=1536, max_position_embeddings=8192,
    tie_word_embeddings=True)).to(getattr(torch, options.precision))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
tokens = torch.randint(49152, (options.rows, options.row_tokens))


processors = 0.0  # seconds of the last step on all threads


def step():
    global processors
    begin = time.process_time()
    optimizer.zero_grad(set_to_none=True)
    model(input_ids=tokens, labels=tokens, use_cache=False).loss.backward()
    optimizer.step()
    processors = time.process_time() - begin


seconds = median_seconds(options.warm_up, options.repeats, step)
report("train_smollm2", options.threads, tokens.numel() / seconds)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"last step: {processors:.2f} s of processors", file=sys.stderr)
print(f"peak memory: {peak:.0f} MiB", file=sys.stderr)
