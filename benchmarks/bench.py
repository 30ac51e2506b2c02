"""A plain Llama module for torch with the shapes of shapes.py."""

import torch
import torch.nn.functional as F
from torch import nn

import shapes
from shapes import SHAPES, median_seconds, report  # noqa: F401 (for the scripts)


def parse_options(**extra):
    options = shapes.parse_options(**extra)
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    return options


def rotate(x, cosine, sine):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), dim=-1)


class Layer(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.input_norm = nn.RMSNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.post_norm = nn.RMSNorm(width, eps=1e-5)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, cosine, sine, cache=None, start=0):
        rows, time_steps, width = x.shape
        qkv = self.qkv(self.input_norm(x)).view(rows, time_steps, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        if cache is not None:
            end = start + time_steps
            cache[0][:, :, start:end] = k
            cache[1][:, :, start:end] = v
            k, v = cache[0][:, :, :end], cache[1][:, :, :end]
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=time_steps > 1)
        x = x + self.output(mixed.transpose(1, 2).reshape(rows, time_steps, width))
        gate, up = self.gate_up(self.post_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, shape, positions=256):
        super().__init__()
        width, heads = shape["width"], shape["heads"]
        self.embedding = nn.Embedding(shape["vocab"], width)
        self.layers = nn.ModuleList(
            Layer(width, heads, shape["hidden"]) for _ in range(shape["layers"]))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, shape["vocab"], bias=False)
        half = width // heads // 2
        angle = torch.outer(torch.arange(positions),
                            10000.0 ** (-torch.arange(half, dtype=torch.float64) / half))
        self.register_buffer("cosine", angle.cos().float())
        self.register_buffer("sine", angle.sin().float())

    def forward(self, tokens, caches=None, start=0):
        """Hidden states before the head; [rows, time, width]."""
        x = self.embedding(tokens)
        end = start + tokens.shape[1]
        cosine, sine = self.cosine[start:end], self.sine[start:end]
        for i, layer in enumerate(self.layers):
            x = layer(x, cosine, sine, caches[i] if caches else None, start)
        return self.norm(x)
