"""Writes muon.json: three steps of torch.optim.Muon on two matrices, in double.

    python make_muon.py         (torch 2.9 or newer; the output was made with 2.13.0)

torch orthogonalizes in bfloat16; here it does in double, which its own code then checks for us to
the last digits. Its AdamW updates a vector beside the matrices.
"""

import json
import pathlib

import torch

torch.Tensor.bfloat16 = torch.Tensor.double  # of the orthogonalization only

SCALES = [1.0, 0.5, 1.0]  # of the learning rates, step by step
torch.manual_seed(7)
wide = torch.nn.Parameter(torch.randn(3, 5, dtype=torch.float64))
tall = torch.nn.Parameter(torch.randn(6, 2, dtype=torch.float64))
bias = torch.nn.Parameter(torch.randn(4, dtype=torch.float64))
parameters = [wide, tall, bias]

options = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}
adamw_options = {"lr": 0.01, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.2}
muon = torch.optim.Muon([wide, tall], adjust_lr_fn="match_rms_adamw", **options)
adamw = torch.optim.AdamW([bias], **adamw_options)


def flat(tensors):
    return [number for tensor in tensors for number in tensor.detach().flatten().tolist()]


steps = []
before = flat(parameters)
for scale in SCALES:
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    gradients = flat([parameter.grad for parameter in parameters])
    muon.param_groups[0]["lr"] = options["lr"] * scale
    adamw.param_groups[0]["lr"] = adamw_options["lr"] * scale
    muon.step()
    adamw.step()
    steps.append({"scale": scale, "gradients": gradients, "weights": flat(parameters)})

out = {"shapes": [list(p.shape) for p in parameters], "weights": before, "steps": steps}
path = pathlib.Path(__file__).with_name("muon.json")
path.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
