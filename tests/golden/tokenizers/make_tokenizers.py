#!/usr/bin/env python3
"""Makes the tiny tokenizer.json of each family, and what the tokenizers package makes of strings.

    pip install tokenizers==0.23.3
    make_tokenizers.py FOLDER      (writes FOLDER/NAME.json and FOLDER/NAME.golden.jsonl)

Each is trained on a few sentences below; the pre-tokenizers are those of the models' own files. A
golden line: the text, its ids without special tokens, its ids with them, what the latter decode to.
"""
import json
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = """The quick brown fox isn't lazy; it's 12345 times FASTER than 67 dogs, they'll say. We've HTTPServer2
def find(x, y=3.14):\n    return x[0] + y  # a comment\n\n\nfor (int i = 0; i < 10; ++i) { sum += a[i]; }
Straße, naïve café, Ünïcödé. Привет, мир! 你好,世界。これはテストです。한국어 문장. हिन्दी में. שלום 😀👍🏽 ½ ² Ⅷ
<think>\nLet me see.\n</think>\n\n<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>\r\n\ttabs  and   spaces \n""" * 3
WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
MARKS = WORDS.replace("?\\p{L}+", "?[\\p{L}\\p{M}]+").replace("[^\\s\\p{L}\\p{N}]+", "[^\\s\\p{L}\\p{M}\\p{N}]+") % ""
CASED = ("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")
DEEPSEEK = ["\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]
OLD_DEEPSEEK = ["[\r\n]", "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿА-я]+", "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$", "[一-龥ࠀ-一가-퟿]+"]


def split(expression, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(expression), behavior, invert)


def byte_level(use_regex=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


FAMILIES = {
    "gpt2": (None, [byte_level(True)]),
    "smollm2": (None, [pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
    "qwen2": (normalizers.NFC(), [split(WORDS % ""), byte_level()]),
    "qwen35": (normalizers.NFC(), [split(MARKS), byte_level()]),
    "llama3": (None, [split(WORDS % "{1,3}"), byte_level()]),
    "deepseek_v3": (normalizers.Sequence([]), [split(e) for e in DEEPSEEK] + [byte_level()]),
    "deepseek_llm": (normalizers.Sequence([]), [split(e) for e in OLD_DEEPSEEK] + [pre_tokenizers.Digits(individual_digits=True), byte_level()]),
    "o200k": (normalizers.NFC(), [split(CASED, "removed", True), byte_level()]),
    # No model's: the other behaviours of a split, and every flag of an added token.
    "splits": (normalizers.Sequence([normalizers.NFC()]),
               [pre_tokenizers.Split(" ", "merged_with_next"), split("[.,;]", "merged_with_previous"), split("\\p{N}", "contiguous"), byte_level()]),
}
ADDED = [AddedToken("<|end|>", special=True), AddedToken("<|start|>", special=True), AddedToken("<think>", normalized=False),
         AddedToken("</think>", normalized=False), AddedToken("<tool_call>", normalized=False), AddedToken("<tool", normalized=False)]
FLAGS = [AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True, normalized=False), AddedToken("<both>", special=True, lstrip=True, rstrip=True),
         AddedToken("word", single_word=True, normalized=False), AddedToken("caf\u00e9", normalized=True), AddedToken("ÿ", normalized=True), AddedToken("e\u0301t\u00e9", normalized=True)]


def make(name):
    normalizer, steps = FAMILIES[name]
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_tokens(ADDED + (FLAGS if name == "splits" else []))
    tokenizer.post_processor = processors.TemplateProcessing(single="<|start|> $A", pair="<|start|> $A <|start|> $B", special_tokens=[("<|start|>", tokenizer.token_to_id("<|start|>"))])
    return tokenizer


def strings(added, rng):
    pieces = added + [token[:-1] for token in added] + TEXT.split(" ")[:120] + [" ", "  ", "\n", "\r\n", "\t", " \n ", "\u3000", "\u00a0", "\x85", "\0", "\x7f"] + [
        "e\u0301", "A\u030a\u0316", "\u1112\u1161\u11ab", "\u212b", "\u0958", "x'\u017f", "it'S", "DON'T", "\ufeff", "\U0001f469\u200d\U0001f4bb", "\u11de0", "\U00011de0", "\U0010ffff", "word", "wordy", "1234567"]
    yield from ("", " ", "\n", "word", "<|end|>", "<|end|> a", " <think>b", "a" * 300, " " * 60 + "a", "\u0301\u0316" * 20)
    for _ in range(90):
        yield "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 9)))
    for _ in range(40):
        first = rng.choice([0, 0x250, 0x600, 0x900, 0x1100, 0x2000, 0x3000, 0x4E00, 0xA700, 0xAC00, 0xFB00, 0x1D400, 0x1F300])
        yield "".join(chr(first + rng.randrange(0x200)) for _ in range(rng.randrange(1, 16)))


def main():
    for name in FAMILIES:
        tokenizer = make(name)
        file = json.loads(tokenizer.to_str())
        if name == "qwen2":  # merges as older files have them
            file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"]]
        with open(f"{sys.argv[1]}/{name}.json", "w") as out:
            json.dump(file, out, ensure_ascii=False, separators=(",", ":"))
        with open(f"{sys.argv[1]}/{name}.golden.jsonl", "w") as out:
            for text in strings([token["content"] for token in file["added_tokens"]], random.Random(name)):
                tokenizer.encode_special_tokens = True
                plain = tokenizer.encode(text, add_special_tokens=False).ids
                tokenizer.encode_special_tokens = False
                parsed = tokenizer.encode(text, add_special_tokens=False).ids
                decoded = tokenizer.decode(parsed, skip_special_tokens=False)
                out.write(json.dumps([text, plain, parsed, decoded]) + "\n")


main()
