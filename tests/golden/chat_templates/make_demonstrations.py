"""Makes demonstrations.jsonl: conversations with the tokens and the assistant's mask that transformers gives them.

The template is Qwen 2.5's, from known_templates.json, with marks around what the assistant says; that it
renders as the original does is checked. The tokenizer is the tiny one of tests/golden/tokenizers, its two
special tokens renamed. A line: the row of a file, all token ids, and 1 for each of the assistant's.

    pip install transformers==5.19.0 jinja2==3.1.6 tokenizers==0.23.3
    python make_demonstrations.py > demonstrations.jsonl
"""
import json
import pathlib
import random

import transformers
from tokenizers import Tokenizer

from make_chat_templates import TOOLS, conversation, style

COUNT = 16
HERE = pathlib.Path(__file__).parent


def replaced(text, *pairs):
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def marked(jinja):
    head, tail = jinja.split('{%- elif message.role == "assistant" %}')
    branch, rest = tail.split('{%- elif message.role == "tool" %}')
    head = replaced(head, (' or (message.role == "assistant" and not message.tool_calls)', ""))
    branch = replaced(
        branch,
        ("'<|im_start|>' + message.role }}", "'<|im_start|>assistant\\n' }}{%- generation %}"),
        ("'\\n' + message.content", "message.content"),
        ("'\\n<tool_call>\\n{\"name\": \"'",
         "('' if loop.first and not message.content else '\\n') + '<tool_call>\\n{\"name\": \"'"),
        ("{{- '<|im_end|>\\n' }}", "{{- '<|im_end|>' }}{%- endgeneration %}{{- '\\n' }}"))
    return head + '{%- elif message.role == "assistant" %}' + branch + '{%- elif message.role == "tool" %}' + rest


def can_be_shown(messages, tools):
    """A rollout says no stray tag, calls tools that it was told of, and the assistant comes last."""
    names = {tool["function"]["name"] for tool in tools}
    said = [m for m in messages if m["role"] == "assistant"]
    called = {c["function"]["name"] for m in said for c in m.get("tool_calls", [])}
    return (messages[-1]["role"] == "assistant" and called <= names and
            not any("</tool_call>" in m["content"] for m in said))


def main():
    known = json.loads((HERE / "known_templates.json").read_text())
    jinja = next(e["jinja"] for e in known["templates"] if e["name"] == "qwen2.5")
    file = (HERE.parent / "tokenizers/qwen2.json").read_text()
    file = file.replace("<|start|>", "<|im_start|>").replace("<|end|>", "<|im_end|>")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(file))
    draw, made = random.Random(301), 0
    while made < COUNT:
        messages, indices = conversation(draw, style())
        tools = [TOOLS[i] for i in indices]
        if not can_be_shown(messages, tools):
            continue
        made += 1
        for message in messages:
            message.pop("reasoning_content", None)
        texts = [tokenizer.apply_chat_template(messages, tools=tools or None, chat_template=t, tokenize=False)
                 for t in (jinja, marked(jinja))]
        assert texts[0] == texts[1]
        tokens = tokenizer.apply_chat_template(
            messages, tools=tools or None, chat_template=marked(jinja), tokenize=True, return_dict=True,
            return_assistant_tokens_mask=True)
        row = {"messages": messages, "tools": tools}
        print(json.dumps({"row": json.dumps(row), "ids": tokens["input_ids"], "mask": tokens["assistant_masks"]},
                         separators=(",", ":")))


if __name__ == "__main__":
    main()
