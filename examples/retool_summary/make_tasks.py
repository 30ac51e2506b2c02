#!/usr/bin/env python3
"""Writes the example's tasks: word problems of two steps, in the form of GSM8K's rows.

make_tasks.py FOLDER      writes train.jsonl (320 tasks) and held_out.jsonl (32), always the same bytes

A solution has its steps as GSM8K has them, <<3*14=42>>: the warm start makes a call of each. No question
of one file is in the other.
"""
import json
import pathlib
import random
import sys

SEED = 20
NAMES = "Ada Ben Cleo Dan Eva Finn Gus Hana Ines Jan Kim Leo Mia Noor Otto Pia".split()
THINGS = "apples books coins eggs kites lamps nuts pens plums shells stamps stones".split()
# What is told, then the two steps; {r} is the result of the first.
STORIES = [
    ("{name} has {a} {things}. {other} brings {b} bags of {c} {things}. How many {things} are there now?",
     "{b}*{c}", "{a}+{r}"),
    ("{name} packs {b} boxes of {c} {things} and gives away {a} {things}. How many {things} are left?",
     "{b}*{c}", "{r}-{a}"),
    ("{name} has {a} {things} and finds {b} more. {other} takes {c} of them. How many {things} are left?",
     "{a}+{b}", "{r}-{c}"),
    ("{name} has {a} {things} and {other} has {b}. Each of the two gets {c} more. How many {things} have they together?",
     "{a}+{b}", "{r}+2*{c}"),
    ("{name} buys {b} {things} for {c} coins each and pays {a} coins for a bag. How many coins is that?",
     "{b}*{c}", "{r}+{a}"),
    ("There are {b} rows of {c} {things}, and {a} {things} stand apart. How many {things} are there?",
     "{b}*{c}", "{r}+{a}"),
]


def make_task(draw):
    story, first, second = draw.choice(STORIES)
    name, other = draw.sample(NAMES, 2)
    values = {"a": draw.randint(12, 60), "b": draw.randint(3, 9), "c": draw.randint(4, 19)}
    if first == "{b}*{c}" and second == "{r}-{a}":
        values["a"] = draw.randint(2, values["b"] * values["c"] - 1)
    question = story.format(name=name, other=other, things=draw.choice(THINGS), **values)
    steps = []
    values["r"] = None
    for step in (first, second):
        expression = step.format(**values)
        values["r"] = eval(expression)  # whole numbers and signs of our own
        steps.append(f"<<{expression}={values['r']}>>{values['r']}")
    return {"question": question, "answer": "\n".join(steps) + f"\n#### {values['r']}"}


def main(folder):
    draw = random.Random(SEED)
    tasks = {}
    while len(tasks) < 352:
        task = make_task(draw)
        tasks.setdefault(task["question"], task)
    rows = [json.dumps(task) + "\n" for task in tasks.values()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text("".join(rows[:320]))
    (folder / "held_out.jsonl").write_text("".join(rows[320:]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: make_tasks.py FOLDER")
    main(pathlib.Path(sys.argv[1]))
