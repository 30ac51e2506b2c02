#!/usr/bin/env python3
"""Records what SGLang and vLLM really reply, for the double of tests/engine.

Usage: python tests/golden/engines/record_engines.py sglang|vllm URL MODEL_FOLDER OUT.json [NAME]

A server of SmolLM2-135M-Instruct in float32 stands at URL (docs/engines.md says how it is started); MODEL_FOLDER is the
directory that it serves, which it is asked to load again; NAME is the model's name there. Writes a list of
{"name", "path", "body", "status", "reply"}; "reply" is the JSON, or the text where it is none. Needs nothing but Python.
Start vLLM again afterwards: the last question, weights that are not there, leaves it without any, and it dies of the next.
"""
import concurrent.futures
import json
import sys
import time
import urllib.error
import urllib.request

PROMPT = [504, 3575, 282, 4649, 314]  # "The capital of France is"
records = []


def call(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=600) as reply:
            status, text = reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except json.JSONDecodeError:
        return status, text


def record(url, name, path, body=None, keep=None):
    status, reply = call(url, path, body)
    if keep is not None:  # of a long reply
        reply = {key: reply[key] for key in keep if key in reply}
    records.append({"name": name, "path": path, "body": body, "status": status, "reply": reply})
    print(f"{name}: HTTP {status} {str(reply)[:300]}", flush=True)
    return reply


def sglang(url, folder, _):
    def body(tokens, **changed):
        params = {"max_new_tokens": 8, "temperature": 0.7, "top_p": 1.0, "top_k": -1, "min_p": 0.0,
                  "frequency_penalty": 0.0, "presence_penalty": 0.0, "repetition_penalty": 1.0, "min_new_tokens": 0,
                  "n": 1, "stop": [], "stop_token_ids": [2], "ignore_eos": False, "skip_special_tokens": False,
                  "spaces_between_special_tokens": False, "no_stop_trim": True, "sampling_seed": 7}
        params.update(changed)
        return {"input_ids": tokens, "sampling_params": params, "return_logprob": True, "logprob_start_len": -1,
                "stream": False}

    record(url, "model", "/model_info")
    record(url, "server", "/server_info", keep=["context_length", "max_req_input_len", "max_total_num_tokens",
                                                  "version", "served_model_name", "model_path"])
    record(url, "length", "/generate", body(PROMPT))
    record(url, "stop token", "/generate", body(PROMPT, stop_token_ids=list(range(0, 49152, 2))))
    record(url, "stop string", "/generate", body(PROMPT, stop=["e"], max_new_tokens=32))
    record(url, "greedy", "/generate", body(PROMPT, temperature=0.0))
    record(url, "score", "/generate", {**body(PROMPT, max_new_tokens=1, temperature=1.0), "logprob_start_len": 0})
    record(url, "no log-probabilities", "/generate", {**body(PROMPT), "return_logprob": False})
    record(url, "too long", "/generate", body([504] * 3000))
    record(url, "not JSON", "/generate", "text")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(call, url, "/generate", body(PROMPT, max_new_tokens=96, stop_token_ids=[]))
        time.sleep(1.5)  # some tokens
        record(url, "pause", "/pause_generation", {"mode": "retract"})
        record(url, "update", "/update_weights_from_disk", {"model_path": folder, "weight_version": "1", "flush_cache": True})
        record(url, "continue", "/continue_generation", {})
        status, reply = running.result()
        records.append({"name": "over an update", "path": "/generate", "body": None, "status": status, "reply": reply})
        print("over an update", status, str(reply)[:3000][-600:])
        running = pool.submit(call, url, "/generate", {**body(PROMPT, max_new_tokens=900, stop_token_ids=[]), "rid": "a"})
        time.sleep(1.5)
        record(url, "abort", "/abort_request", {"rid": "a"})
        status, reply = running.result()
        records.append({"name": "aborted", "path": "/generate", "body": None, "status": status, "reply": reply})
        print("aborted", status, str(reply)[:300])
    record(url, "model after the update", "/model_info")
    record(url, "length after the update", "/generate", body(PROMPT))
    record(url, "update from nowhere", "/update_weights_from_disk", {"model_path": "/nonexistent", "weight_version": "2",
                                                                     "flush_cache": True})
    record(url, "flush", "/flush_cache", {})


def vllm(url, folder, name):
    def body(tokens, **changed):
        params = {"max_tokens": 8, "temperature": 0.7, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "frequency_penalty": 0.0,
                  "presence_penalty": 0.0, "repetition_penalty": 1.0, "min_tokens": 0, "n": 1, "stop": [],
                  "stop_token_ids": [2], "ignore_eos": True, "skip_special_tokens": False,
                  "spaces_between_special_tokens": False, "include_stop_str_in_output": True, "seed": 7, "logprobs": 0}
        params.update(changed)
        return {"model": name, "token_ids": tokens, "sampling_params": params, "stream": False}

    generate = "/inference/v1/generate"
    record(url, "models", "/v1/models")
    record(url, "version", "/version")
    record(url, "weights", "/weight_info")
    record(url, "length", generate, body(PROMPT))
    record(url, "stop token", generate, body(PROMPT, stop_token_ids=list(range(0, 49152, 2))))
    record(url, "stop string", generate, body(PROMPT, stop=["e"], max_tokens=32))
    record(url, "greedy", generate, body(PROMPT, temperature=0.0))
    record(url, "score", generate, body(PROMPT, max_tokens=1, temperature=1.0, prompt_logprobs=0))
    record(url, "no log-probabilities", generate, body(PROMPT, logprobs=None))
    record(url, "another model", generate, {**body(PROMPT), "model": "another"})
    record(url, "too long", generate, body([504] * 3000))
    record(url, "not JSON", generate, "text")
    reload = {"method": "reload_weights", "kwargs": {"weights_path": folder}}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(call, url, generate, body(PROMPT, max_tokens=96, stop_token_ids=[]))
        time.sleep(1.5)
        record(url, "pause", "/pause?mode=keep", {})
        record(url, "update", "/collective_rpc", reload)
        record(url, "reset", "/reset_prefix_cache?reset_running_requests=true", {})
        record(url, "relabel", "/update_weight_version", {"new_version": "1"})
        record(url, "continue", "/resume", {})
        status, reply = running.result()
        records.append({"name": "over an update", "path": generate, "body": None, "status": status, "reply": reply})
        print("over an update", status, str(reply)[:200], str(reply)[-600:])
        running = pool.submit(call, url, generate, {**body(PROMPT, max_tokens=900, stop_token_ids=[]), "request_id": "a"})
        time.sleep(1.5)
        record(url, "abort", "/abort_requests", {})
        status, reply = running.result()
        records.append({"name": "aborted", "path": generate, "body": None, "status": status, "reply": reply})
        print("aborted", status, str(reply)[:300])
    record(url, "weights after the update", "/weight_info")
    record(url, "length after the update", generate, body(PROMPT))
    record(url, "update from nowhere", "/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": "/nonexistent"}})


def main(engine, url, folder, out, name="smollm2"):
    {"sglang": sglang, "vllm": vllm}[engine](url, folder, name)
    for one in records:  # a list of half the vocabulary
        params = (one["body"] or {}).get("sampling_params", {}) if isinstance(one["body"], dict) else {}
        if len(params.get("stop_token_ids", [])) > 8:
            params["stop_token_ids"] = "all even ids"
        if isinstance(one["body"], dict) and len(one["body"].get("input_ids", one["body"].get("token_ids", []))) > 64:
            one["body"] = "3000 tokens"
    with open(out, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(one) for one in records) + "\n]\n")


main(*sys.argv[1:])
