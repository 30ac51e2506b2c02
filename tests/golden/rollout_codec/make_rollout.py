#!/usr/bin/env python3
"""Writes rollout.bin, one encoded rollout of format 3, from the format's description alone.

    python3 make_rollout.py        needs nothing but Python 3

The rollout is the one that tests/trace/rollout_codec_test.cpp builds.
"""
import pathlib
import struct


def crc64_xz(data):
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xC96C5795D7870F42 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFFFFFFFFFF


assert crc64_xz(b"123456789") == 0x995DC9BBDF1939FA  # the check value of the .xz specification


def u8(*values):
    return struct.pack(f"<{len(values)}B", *values)


def u64(*values):
    return struct.pack(f"<{len(values)}Q", *values)


def text(value):
    return u64(len(value)) + value


def given(provenance, agent, tokens):
    return u8(provenance, agent) + u64(len(tokens)) + struct.pack(f"<{len(tokens)}i", *tokens)


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def sampled(agent, runs, tokens, log_probs, drawn=()):  # runs: (weight version, tokens)
    return (u8(6, agent) + u64(len(tokens)) + struct.pack(f"<{len(tokens)}i", *tokens) +
            floats(log_probs) + u8(1 if drawn else 0) + floats(drawn) + u64(len(runs)) +
            b"".join(u64(*run) for run in runs))


NO_PARENT = 2**64 - 1
prompt, observation, injected, summary = 0, 1, 2, 3
answerer, summarizer = 0, 1

body = text(b"t\x00\xff") + u64(3, 9)  # id, group, member
body += u8(1) + text(b"limit") + u8(1) + text(b"42")  # truncated, ending, an answer
body += struct.pack("<d", -0.25) + u64(5, 4, 1, 1)  # reward, turns, calls, malformed, summaries
body += u8(1) + u64(2, 0)  # a fork of member 2's first summary request
body += u64(1) + u64(0, 3, 2, 2, 1)  # one summary request
body += u64(2) + text(b"look") + u8(0) + text(b"")  # two tool uses: one is ok,
body += text(b"x") + u8(3) + text(b"no")  # one failed and told the model "no"
body += u64(2)  # segments
body += u8(answerer) + u64(NO_PARENT) + u64(4)
body += given(prompt, answerer, [1, 2])
body += sampled(answerer, [(7, 1)], [3], [-0.5])
body += given(injected, answerer, [4])
body += sampled(summarizer, [(2**40, 1), (2**40 + 1, 1)], [5, 6], [-1.5, 0.0], [-1.25, 0.0])
body += u8(summarizer) + u64(0) + u64(1) + given(summary, summarizer, [5, 2**31 - 1])

encoded = b"DualRoll" + struct.pack("<I", 3) + body
encoded += u64(crc64_xz(encoded))
pathlib.Path(__file__).with_name("rollout.bin").write_bytes(encoded)
