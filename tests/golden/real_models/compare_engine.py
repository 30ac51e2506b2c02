#!/usr/bin/env python3
"""Compares log-probabilities of our models with those that an engine gives the same tokens.

Usage: python tests/golden/real_models/compare_engine.py vllm|sglang URL FOLDER/dualagent/NAME.drawn.json [MODEL]

tests/model/real_models_test.cpp writes the file, and beside it the directory NAME.saved that the engine at URL (e.g.
http://127.0.0.1:8000) serves in float32; MODEL is its name there. The engine is asked for the log-probability of every
token that our model drew: softmax over the whole vocabulary, temperature 1. Prints the largest difference and the
tokens; fails above 1e-3. Needs nothing but Python.

NAME.adapter.drawn.json is what an adapter over NAME drew, and NAME.adapter that adapter as PEFT has it. For vLLM:
  vllm serve FOLDER/NAME --dtype float32 --enable-lora --max-lora-rank 16 --lora-modules adapter=FOLDER/dualagent/NAME.adapter
  compare_engine.py vllm URL FOLDER/dualagent/NAME.adapter.drawn.json adapter
"""
import json
import sys
import urllib.request

MOST = 1e-3


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.load(reply)


def vllm(url, model, ids):
    """Log-probability of every id but the first, given those before it."""
    reply = post(url + "/v1/completions", {"model": model, "prompt": ids, "max_tokens": 1, "temperature": 1.0,
                                           "prompt_logprobs": 0})
    rows = reply["choices"][0]["prompt_logprobs"]
    return [rows[i][str(ids[i])]["logprob"] for i in range(1, len(ids))]


def sglang(url, _, ids):
    reply = post(url + "/generate", {"input_ids": ids, "return_logprob": True, "logprob_start_len": 0,
                                     "sampling_params": {"max_new_tokens": 1, "temperature": 1.0}})
    rows = reply["meta_info"]["input_token_logprobs"]
    assert [token for _, token, _ in rows] == ids
    return [log_prob for log_prob, _, _ in rows[1:]]


def main(engine, url, file, model="model"):
    ask = {"vllm": vllm, "sglang": sglang}[engine]
    largest = total = count = 0
    with open(file) as f:
        rows = json.load(f)
    for row in rows:
        theirs = ask(url, model, row["prompt"] + row["tokens"])[-len(row["tokens"]):]
        differences = [abs(a - b) for a, b in zip(row["log_probs"], theirs, strict=True)]
        largest = max(largest, *differences)
        total += sum(differences)
        count += len(differences)
    print(f"{file}, {engine}: {len(rows)} prompts, {count} tokens, largest difference {largest:.2e}, "
          f"mean {total / count:.1e}")
    sys.exit(largest > MOST)


main(*sys.argv[1:])
