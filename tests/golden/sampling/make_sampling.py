"""Makes sampling.json: which tokens transformers leaves to be drawn, and their log-probabilities.

    python -m venv /tmp/venv && . /tmp/venv/bin/activate
    pip install torch==2.13.0 transformers==5.19.0
    python make_sampling.py > sampling.json
"""
import json
import random

import torch
import transformers
from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper


def case(draw):
    vocab = draw.choice([3, 17, 60])
    spread = draw.choice([0.5, 2.0, 6.0])
    logits = [round(draw.gauss(0, spread), 4) for _ in range(vocab)]
    options = {"temperature": draw.choice([0.5, 1.0, 1.7]), "top_k": draw.choice([0, 1, 5, 20, 100]),
               "top_p": draw.choice([1.0, 0.3, 0.9, 0.99]), "min_p": draw.choice([0.0, 0.01, 0.2])}
    scores = torch.tensor([logits], dtype=torch.float64)
    warpers = [TemperatureLogitsWarper(options["temperature"])]  # in the order of generate()
    if options["top_k"] > 0:
        warpers.append(TopKLogitsWarper(options["top_k"]))
    if options["top_p"] < 1:
        warpers.append(TopPLogitsWarper(options["top_p"]))
    if options["min_p"] > 0:
        warpers.append(MinPLogitsWarper(options["min_p"]))
    for warper in warpers:
        scores = warper(None, scores)
    log_probs = torch.log_softmax(scores, -1)[0].tolist()
    return {"logits": logits, **options,
            "log_probs": [None if p == float("-inf") else round(p, 7) for p in log_probs]}


def main():
    draw = random.Random(7)
    rows = ",\n".join(json.dumps(case(draw)) for _ in range(120))
    print(f'{{"transformers": "{transformers.__version__}",\n"cases": [\n{rows}]}}')


main()
