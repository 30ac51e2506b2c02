#!/usr/bin/env python3
"""What transformers computes with real models, for tests/model/real_models_test.cpp; nothing of it is committed.

Usage: python tests/golden/real_models/make_real_models.py FOLDER [check]      (torch, transformers 5, safetensors)

For every Hugging Face directory FOLDER/NAME, FOLDER/dualagent/NAME.safetensors gets, for prompt I of 20, in float32 on
the CPU: prompt.I (tokens), logits.I [2, vocab] after its last two tokens, greedy.I (12 tokens).
With `check`, loads instead what the test saved, FOLDER/dualagent/NAME.saved, and compares its greedy tokens.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The capital of France is", "def fibonacci(n):\n    ", "Once upon a time there was a small robot who",
    "Question: what is 17 + 25?\nAnswer:", "import numpy as np\n\ndef softmax(x):", "In 1969, the first people",
    "Water boils at", "The three laws of thermodynamics are", "SELECT name, age FROM users WHERE",
    "Die Hauptstadt von Deutschland ist", "for (int i = 0; i < n; ++i) {", "To make pancakes, you need",
    "2, 4, 8, 16,", "Dear Sir or Madam,\n\nI am writing to", "The opposite of hot is", "Roses are red,",
    "class Stack:\n    def __init__(self):", "My favourite colour is", "A triangle has", "<html>\n<head>\n<title>",
]
NEW_TOKENS = 12


def greedy(model, ids):
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=NEW_TOKENS,
                         min_new_tokens=NEW_TOKENS, repetition_penalty=1.0, eos_token_id=None, pad_token_id=0)
    return out[0, ids.shape[1]:]


def main(root, check):
    (root / "dualagent").mkdir(exist_ok=True)
    for folder in sorted(p.parent for p in root.glob("*/config.json")):
        golden = root / "dualagent" / f"{folder.name}.safetensors"
        source = root / "dualagent" / f"{folder.name}.saved" if check else folder
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(source)
        expected = load_file(golden) if check else {}
        same = 0
        for i, prompt in enumerate(PROMPTS):
            ids = tokenizer(prompt, return_tensors="pt").input_ids
            if check:
                same += torch.equal(ids[0], expected[f"prompt.{i}"]) and torch.equal(greedy(model, ids), expected[f"greedy.{i}"])
                continue
            with torch.no_grad():
                expected |= {f"prompt.{i}": ids[0], f"logits.{i}": model(ids).logits[0, -2:].clone(),
                             f"greedy.{i}": greedy(model, ids)}
        if check:
            print(f"{folder.name}: {same} of {len(PROMPTS)} prompts have the same tokens and the same greedy continuation")
        else:
            save_file({k: v.contiguous() for k, v in expected.items()}, golden)
            print(golden)


main(Path(sys.argv[1]), "check" in sys.argv[2:])
