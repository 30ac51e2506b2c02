"""Runs examples/serve_model on a small model and asks it as any HTTP client would.

Usage: python3 serve_model.py PROGRAM MODEL_FOLDER WORK_FOLDER
"""
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

program, model, work = sys.argv[1:]
os.makedirs(work, exist_ok=True)
token_file = os.path.join(work, "token")
with open(token_file, "w") as f:
    f.write("a-token-of-this-test\n")


def ask(url, body=None, token="a-token-of-this-test"):
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def expect(what, condition, shown):
    if not condition:
        sys.exit(f"{what}: {shown}")


refused = subprocess.run([program, "--model", model, "--host", "0.0.0.0", "--port", "0"], capture_output=True, text=True)
expect("no token for everybody", refused.returncode == 1 and "has no token" in refused.stderr, refused)
refused = subprocess.run([program, "--modle", model], capture_output=True, text=True)
expect("unknown option", refused.returncode == 1 and "--modle" in refused.stderr, refused)

empty_file = os.path.join(work, "empty")
with open(empty_file, "w") as f:
    f.write("\n")
refused = subprocess.run([program, "--model", model, "--port", "0", "--token-file", empty_file], capture_output=True,
                         text=True, timeout=60)
expect("empty token file", refused.returncode == 1 and empty_file in refused.stderr, refused)

server = subprocess.Popen([program, "--model", model, "--port", "0", "--token-file", token_file],
                          stdout=subprocess.PIPE, text=True)
try:
    url = server.stdout.readline().split(" at ")[1].strip()
    expect("no token", ask(url + "/health", token=None)[0] == 401, url)
    expect("health", ask(url + "/health")[0] == 200, url)
    body = {"input_ids": [1, 2, 3], "return_logprob": True,
            "sampling_params": {"max_new_tokens": 5, "sampling_seed": 1, "ignore_eos": True}}
    status, text = ask(url + "/generate", body)
    reply = json.loads(text)
    expect("generate", status == 200 and len(reply["output_ids"]) == 5, text)
    expect("log-probabilities", [row[1] for row in reply["meta_info"]["output_token_logprobs"]] == reply["output_ids"],
           text)
    status, text = ask(url + "/generate", {**body, "stream": True})
    events = [line[6:] for line in text.split("\n\n") if line]
    expect("stream", events[-1] == "[DONE]" and json.loads(events[-2])["output_ids"] == reply["output_ids"], text)
    status, text = ask(url + "/update_weights_from_disk", {"model_path": model, "weight_version": "again"})
    expect("refit", status == 200 and json.loads(text)["success"], text)
    again = json.loads(ask(url + "/generate", body)[1])
    expect("same weights, same tokens", again["output_ids"] == reply["output_ids"], again)
    expect("version", again["meta_info"]["weight_version"] == "again", again)
    expect("metrics", 'dualagent_generations_total{reason="length"} 3' in ask(url + "/metrics")[1], ask(url + "/metrics"))
finally:
    server.send_signal(signal.SIGTERM)
    rest = server.stdout.read()
    code = server.wait(timeout=120)
expect("orderly end", code == 0 and rest == "stopped\n", (code, rest))
print("serve_model: ok")
