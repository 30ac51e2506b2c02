#!/usr/bin/env python3
"""Makes LoRA adapters of a tiny random model and what PEFT computes with them.

Usage: python tests/golden/adapters/make_adapters.py           (torch, transformers 5, peft, safetensors)
       python tests/golden/adapters/make_adapters.py check DIR  compares what PEFT computes with an adapter in DIR
Seen with torch 2.13, transformers 5.19, peft 0.21.

The base is ../models/NAME of `ADAPTERS`. ADAPTER/ is a directory as PEFT's save_pretrained writes it, with a B that
is not 0; ADAPTER/expected.safetensors holds, for the token rows `tokens` [rows, length]:
  logits            [rows, length, vocab] in float32
  loss.STEP         token-mean cross-entropy before AdamW step 0, 1, 2
  gradient.TENSOR   of loss.0, in double, under the names of adapter_model.safetensors
  after.TENSOR      the adapter after three AdamW steps
`check DIR` prints the largest difference of logits between the adapter in DIR and the golden one of that name: DIR is
what save_adapter wrote of it (the test "an adapter is saved as PEFT loads it" says where).
"""
import os
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

sys.path.append(str(Path(__file__).resolve().parent.parent))
from three_steps import three_steps  # noqa: E402

HERE = Path(".")  # the configurations name their bases relative to this folder
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "all": ("llama", dict(r=3, lora_alpha=6, target_modules=ALL)),
    "some": ("qwen2", dict(r=4, lora_alpha=5, use_rslora=True, target_modules=["v_proj", "up_proj"])),
}


def base_of(name):
    return AutoModelForCausalLM.from_pretrained(Path("../models") / ADAPTERS[name][0], dtype=torch.float32,
                                                attn_implementation="eager")


def key_of(name):  # of a parameter, as in adapter_model.safetensors
    return name.replace(".default", "")


def make(name):
    torch.manual_seed(11 + sorted(ADAPTERS).index(name))
    model = get_peft_model(base_of(name), LoraConfig(task_type="CAUSAL_LM", **ADAPTERS[name][1]))
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "lora_B" in key:
                value.copy_(0.2 * torch.randn_like(value))
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    tokens = torch.randint(3, model.config.vocab_size, (3, 20))
    expected = {"tokens": tokens}
    with torch.no_grad():
        expected["logits"] = PeftModel.from_pretrained(base_of(name), folder)(tokens).logits
    model = PeftModel.from_pretrained(base_of(name), folder, is_trainable=True).double()
    trained = {key_of(k): p for k, p in model.named_parameters() if p.requires_grad}
    expected |= three_steps(model, trained, tokens)
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    print(name, len(trained), {f.name: f.stat().st_size for f in folder.iterdir()})


def check(folder):
    name = folder.name
    expected = load_file(HERE / name / "expected.safetensors")
    with torch.no_grad():
        logits = PeftModel.from_pretrained(base_of(name), folder)(expected["tokens"]).logits
    print(name, "largest difference of logits:", (logits - expected["logits"]).abs().max().item())


given = [Path(argument).resolve() for argument in sys.argv[2:]]
os.chdir(Path(__file__).parent)
if sys.argv[1:2] == ["check"]:
    for folder in given:
        check(folder)
else:
    for each in ADAPTERS:
        make(each)
