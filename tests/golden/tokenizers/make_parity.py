#!/usr/bin/env python3
"""Writes strings and what the tokenizers package makes of them, for benchmarks/tokenizer_parity.cpp.

    make_parity.py TOKENIZER_JSON COUNT OUTPUT [--long] [TEXT_FILE...]
    make_parity.py FILE 100000 - gsm8k.jsonl *.py | tokenizer_parity FILE -

COUNT strings, of 40 bytes on average: pieces of the text files (else of Python's own sources), added tokens
of the file beside words and white space, random Unicode, emoji, control characters, combining marks. --long
adds words of a megabyte. OUTPUT - is the standard output. The same arguments give the same bytes, and COUNT
more strings begin with those of COUNT. Per string, in little-endian 32-bit numbers: its bytes, the ids
without special tokens, the ids with them, what the latter decode to, and what they decode to backwards (parts
of characters, that is); each after its length.
"""
import glob
import itertools
import json
import os
import random
import struct
import sys

from tokenizers import Tokenizer

SPACES = [" ", "  ", "\n", "\t", "\r\n", "\n\n", "   ", "\u00a0", "\u3000", "\u2028", "\x85", " \n "]
EMOJI = ["😀", "👩\u200d💻", "🇩🇪", "👍🏽", "❤\ufe0f", "1\ufe0f\u20e3", "🏴\U000e0067\U000e0062\U000e007f"]
WORDS = ["it's", "IT'S", "we'll", "don'T", "x'\u017f", "Straße", "naïve", "ab1c23", "12345", "3.14", "f(x)", "==", "中文字",
         "ひらがな", "カタカナ", "한국어", "русский", "العربية", "हिन्दी", "ไทย", "camelCaseHTTPServer", "e\u0301", "A\u030a", "\u1112\u1161\u11ab",
         "\u0958", "\u2126", "\u212b", "...", "\u2026", "//", "/*", "#!", "õ", "ÿ", "Ǆ", "ʰ", "ª", "Ⅷ", "²", "½", "٣", "๓", "'", "''s", "_", "a_b"]


def characters(ranges):
    return [c for first, last in ranges for c in range(first, last + 1) if not 0xD800 <= c < 0xE000]


COMBINING = characters([(0x300, 0x36F), (0x483, 0x489), (0x591, 0x5BD), (0x610, 0x61A), (0x64B, 0x65F), (0x93C, 0x94D), (0x1AB0, 0x1ACE),
                        (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0x302A, 0x302F), (0x3099, 0x309A), (0xFE20, 0xFE2F), (0x1161, 0x1175), (0x11A8, 0x11C2)])
COMPOSED = characters([(0xC0, 0x17F), (0x1E00, 0x1FFF), (0x212A, 0x212B), (0xAC00, 0xAC80), (0xF900, 0xFAFF), (0x2F800, 0x2FA1D), (0x1100, 0x1112)])
BLOCKS = [(0, 0x24F), (0x250, 0x5FF), (0x600, 0x10FF), (0x1100, 0x1FFF), (0x2000, 0x2FFF), (0x3000, 0x33FF), (0x4E00, 0x9FFF),
          (0xA000, 0xABFF), (0xAC00, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x323AF), (0, 0x10FFFF)]


def natural(texts, rng):
    text = rng.choice(texts)
    begin = rng.randrange(max(1, len(text) - 100))
    return text[begin:begin + rng.randrange(1, 100)]


def mixed(added, rng):
    parts = []
    for _ in range(rng.randrange(1, 12)):
        kind = rng.randrange(10)
        if kind < 3 and added:
            token = rng.choice(added)
            parts.append(token if rng.random() < 0.8 else token[:rng.randrange(len(token) + 1)])
        elif kind < 6:
            parts.append(rng.choice(SPACES))
        elif kind < 7:
            parts.append(rng.choice(EMOJI))
        else:
            parts.append(rng.choice(WORDS))
    return "".join(parts)


def unicode_text(rng):
    first, last = rng.choice(BLOCKS)
    text = []
    for _ in range(rng.randrange(1, 40)):
        kind = rng.random()
        c = rng.randrange(first, last + 1)
        if kind < 0.1:
            c = rng.randrange(0, 0x21)
        elif kind < 0.25:
            c = rng.choice(COMBINING)
        elif kind < 0.3:
            c = rng.choice(COMPOSED)
        elif kind < 0.4:
            c = rng.randrange(0x20, 0x7F)
        text.append(chr(c) if not 0xD800 <= c < 0xE000 else "a")
    return "".join(text)


def long_words(rng):
    n = 1_000_000
    yield from ("a" * n, " " * n, "\n" * n, "7" * n, "!" * n, "中" * (n // 3), "é" * (n // 2), "ab" * (n // 2))
    yield "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(n))
    yield "".join(rng.choice("ACGT") for _ in range(n))
    yield "a" + "\u0301\u0316" * (n // 4)
    yield "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(n // 3))


def texts_of(files):
    if not files:
        root = os.path.dirname(os.__file__)
        files = sorted(glob.glob(root + "/*.py"))
    texts = []
    for name in files:
        with open(name, encoding="utf-8", errors="replace") as file:
            if name.endswith(".jsonl"):
                rows = [json.loads(line) for line in file]
                texts.append("\n".join(str(value) for row in rows for value in row.values()))
            else:
                texts.append(file.read())
    return [text for text in texts if text]


def blob(data):
    return struct.pack("<I", len(data)) + data


def ids(numbers):
    return struct.pack(f"<{len(numbers) + 1}I", len(numbers), *numbers)


def strings_of(count, added, texts, rng):
    yield from ("", " ", "\n")
    for _ in range(count - 3):
        draw = rng.random()
        yield natural(texts, rng) if draw < 0.4 else mixed(added, rng) if draw < 0.65 else unicode_text(rng)


def records(tokenizer, some):
    tokenizer.encode_special_tokens = True
    plain = tokenizer.encode_batch_fast(some, add_special_tokens=False)
    tokenizer.encode_special_tokens = False
    parsed = [e.ids for e in tokenizer.encode_batch_fast(some, add_special_tokens=False)]
    decoded = tokenizer.decode_batch(parsed, skip_special_tokens=False)
    backwards = tokenizer.decode_batch([p[::-1] for p in parsed], skip_special_tokens=False)
    for s, p, q, d, b in zip(some, plain, parsed, decoded, backwards):
        yield blob(s.encode()) + ids(p.ids) + ids(q) + blob(d.encode()) + blob(b.encode())


def main():
    long = "--long" in sys.argv
    path, count, output, *files = [argument for argument in sys.argv[1:] if argument != "--long"]
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()  # neither is applied, as in transformers
    with open(path) as file:
        entries = json.load(file)["added_tokens"]
    added = [entry["content"] for entry in entries]
    added = added + [entry["content"] for entry in entries if not entry["special"]] * 5
    rng = random.Random(19)
    strings = strings_of(int(count), added, texts_of(files), rng)
    if long:
        strings = itertools.chain(strings, long_words(rng))
    valid = (s.encode("utf-8", "replace").decode("utf-8") for s in strings)
    with open("/dev/stdout" if output == "-" else output, "wb") as out:
        while some := list(itertools.islice(valid, 1000)):
            out.writelines(records(tokenizer, some))


try:
    main()
except BrokenPipeError:  # the reader has refused the file, and said why
    sys.exit(1)
