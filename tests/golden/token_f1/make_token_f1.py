"""Pairs of texts and their F1 over words, from the definition of SQuAD's evaluation.

    python3 make_token_f1.py > token_f1.jsonl

Each line is [right answer, answer, F1]. Normalisation: small letters, punctuation removed, the
articles a, an and the removed, runs of white space made one. F1 = 2 P R / (P + R) with precision P
and recall R over words as often as they occur; 0 without a common word; 1 for two texts without
words, 0 if one of them has none. ASCII but for letters, which stand for themselves.
"""

import json
import random
import re
import string
from collections import Counter
from fractions import Fraction

random.seed(20261124)


def normalize(text):
    text = text.lower()
    text = "".join(c for c in text if c not in set(string.punctuation))
    text = re.sub(r"\b(a|an|the)\b", " ", text)
    return text.split()


def f1(right, said):
    right, said = normalize(right), normalize(said)
    if not right or not said:
        return Fraction(int(right == said))
    common = sum((Counter(right) & Counter(said)).values())
    if common == 0:
        return Fraction(0)
    precision, recall = Fraction(common, len(said)), Fraction(common, len(right))
    return 2 * precision * recall / (precision + recall)


WORDS = ["the", "a", "an", "The", "AN", "cat", "Cat", "cat's", "sat", "mat", "on", "another", "theme",
         "U.S.", "U.S", "3,000", "3000", "3.5", "-", "...", "well-known", "wellknown", "x_y", "(the)",
         "na\u00efve", "\u00e9t\u00e9", "$5", "50%", "A.", "a-b", "'the'", "\u4e2d\u6587"]
SPACES = [" ", " ", " ", "  ", "\t", "\n", " \r\n "]


def draw():
    text = ""
    for _ in range(random.randrange(0, 8)):
        text += random.choice(WORDS) + random.choice(SPACES)
    return text


HAND = [("the cat sat", "A cat!"), ("", ""), ("the", ""), ("a the an", "..."), ("", "cat"),
        ("cat cat", "cat"), ("cat cat cat", "cat cat"), ("Denver Broncos", "the denver broncos."),
        ("\x1ccat\x0bsat\x0c", "sat cat")]
for right, said in HAND + [(draw(), draw()) for _ in range(400)]:
    print(json.dumps([right, said, float(f1(right, said))]))
