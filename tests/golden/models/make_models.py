#!/usr/bin/env python3
"""Makes tiny random models of every architecture and what transformers computes with them.

Usage: python tests/golden/models/make_models.py [NAME...]     (torch, transformers 5, safetensors)
Seen with torch 2.13, transformers 5.19.

NAME/ is a Hugging Face directory as save_pretrained writes it; NAME/expected.safetensors holds, for the
token rows `tokens` [rows, length]:
  logits            [rows, length, vocab] in float32
  loss.STEP         token-mean cross-entropy before AdamW step 0, 1, 2
  gradient.TENSOR   of loss.0, in double
  after.TENSOR      the weights after three AdamW steps
Gradients and steps are computed in double; the rotary tables are transformers' own, in float32.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (GenerationConfig, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                          Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

sys.path.append(str(Path(__file__).resolve().parent.parent))
from three_steps import three_steps  # noqa: E402

HERE = Path(__file__).parent
SIZES = dict(vocab_size=72, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 50.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}

MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig, torch.float32, dict(tie_word_embeddings=False)),
    "llama3": (LlamaForCausalLM, LlamaConfig, torch.bfloat16, dict(tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "llama_linear": (LlamaForCausalLM, LlamaConfig, torch.float16, dict(
        tie_word_embeddings=True, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0})),
    "smollm2": (LlamaForCausalLM, LlamaConfig, torch.bfloat16, dict(
        tie_word_embeddings=True, num_attention_heads=6, num_key_value_heads=2, hidden_size=36,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0})),
    # Under slow rotations the gradients of key biases vanish, and AdamW would make steps of their rounding errors.
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, torch.float32, dict(
        tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 100.0})),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, torch.float32, dict(
        tie_word_embeddings=True, head_dim=12, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    "mistral": (MistralForCausalLM, MistralConfig, torch.bfloat16, dict(tie_word_embeddings=False, sliding_window=None)),
}


def make(name):
    model_class, config_class, dtype, more = MODELS[name]
    torch.manual_seed(sorted(MODELS).index(name))
    config = config_class(**{**SIZES, **more}, bos_token_id=1, eos_token_id=2, pad_token_id=0, use_cache=False)
    config._attn_implementation = "eager"
    model = model_class(config)
    with torch.no_grad():
        for key, value in model.named_parameters():
            noise = torch.randn_like(value)
            value.copy_(1.0 + 0.2 * noise if "norm" in key else 0.3 * noise if "bias" in key
                        else noise * (0.5 if "embed" in key else value.shape[-1] ** -0.5))
    model = model.to(dtype)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=[2, 5], pad_token_id=0)
    folder = HERE / name
    model.save_pretrained(folder)

    tokens = torch.randint(3, SIZES["vocab_size"], (3, 20))
    expected = {"tokens": tokens}
    with torch.no_grad():
        single = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        expected["logits"] = single(tokens).logits

    model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").double()
    expected |= three_steps(model, dict(model.named_parameters()), tokens)
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    print(name, sum(p.numel() for p in model.parameters()), {f.name: f.stat().st_size for f in folder.iterdir()})


for name in sys.argv[1:] or MODELS:
    make(name)
