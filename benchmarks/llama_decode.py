"""Greedy decoding of one sequence with llama.cpp in float32: 16 prompt and 128 new tokens.

The model is a file of random weights with the shape of shapes.py, float32 weights and cache.
"""

import ctypes
import os
import sys
import tempfile

try:
    import gguf
    import llama_cpp
    import numpy
except ImportError:
    sys.exit("llama.cpp not installed: pip install llama-cpp-python gguf")

from shapes import SHAPES, median_seconds, parse_options, report

PROMPT, NEW, POSITIONS = 16, 128, 256


def write_model(path, shape):
    random = numpy.random.default_rng(1)
    width, vocab, hidden = shape["width"], shape["vocab"], shape["hidden"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(width)
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // shape["heads"])
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("no_vocab")

    def add(name, *size):
        values = random.normal(0, 0.02, size) if len(size) > 1 else numpy.ones(size)
        writer.add_tensor(name + ".weight", values.astype(numpy.float32))

    add("token_embd", vocab, width)
    add("output_norm", width)
    add("output", vocab, width)
    for layer in range(shape["layers"]):
        block = f"blk.{layer}."
        for name in ("attn_norm", "ffn_norm"):
            add(block + name, width)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(block + name, width, width)
        add(block + "ffn_gate", hidden, width)
        add(block + "ffn_up", hidden, width)
        add(block + "ffn_down", width, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def open_context(path, threads):
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, None)
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        path.encode(), llama_cpp.llama_model_default_params())
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = settings.n_batch = settings.n_ubatch = POSITIONS
    settings.n_threads = settings.n_threads_batch = threads
    settings.type_k = settings.type_v = llama_cpp.GGML_TYPE_F32
    if hasattr(settings, "flash_attn_type"):
        settings.flash_attn_type = 0  # off: the slower path with a float32 cache
    context = llama_cpp.llama_init_from_model(model, settings)
    if not context:
        sys.exit("llama.cpp cannot open the model")
    return context, (model, silent)


def decode(context, prompt, vocab):
    """Greedy; the largest logit is found by numpy in llama.cpp's own buffer."""
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), False)
    tokens = (llama_cpp.llama_token * len(prompt))(*prompt)
    count = len(prompt)
    for _ in range(NEW):
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, count)) != 0:
            sys.exit("llama_decode failed")
        logits = ctypes.cast(llama_cpp.llama_get_logits_ith(context, -1),
                             ctypes.POINTER(ctypes.c_float * vocab)).contents
        tokens[0] = int(numpy.frombuffer(logits, numpy.float32).argmax())
        count = 1


options = parse_options(repeats=5)
shape = SHAPES[options.shape]
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "random.gguf")
    write_model(path, shape)
    context, kept = open_context(path, options.threads)
prompt = numpy.random.default_rng(2).integers(shape["vocab"], size=PROMPT).tolist()
seconds = median_seconds(1, options.repeats, lambda: decode(context, prompt, shape["vocab"]))
report(f"decode_{options.shape}_1", options.threads, NEW / seconds, side="llama.cpp")
