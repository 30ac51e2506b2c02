"""The step of grpo_step_bench by TRL's GRPOTrainer: the same prompts, limits, reward and threads, float32, eager.

Usage: python benchmarks/trl_step.py MODEL_FOLDER PROMPTS.jsonl THREADS GROUP_SIZE TURN_TOKENS     (torch, trl)

PROMPTS.jsonl is what grpo_step_bench --prompts-out wrote. Prints one JSON line of the same form. One turn: a tool's answer
and a summary are not part of a rollout here.
"""
import json
import os
import resource
import sys
import tempfile
import time

os.environ |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402

ROWS_AT_ONCE = 8  # of the update

model_folder, prompts = sys.argv[1:3]
threads, group_size, turn_tokens = map(int, sys.argv[3:])
torch.set_num_threads(threads)
with open(prompts) as f:
    data = Dataset.from_list([json.loads(line) for line in f])
rollouts = len(data) * group_size
seen = {"tokens": 0, "rollouts": 0}


def odd_share(completion_ids, **_):
    seen["tokens"] += sum(len(ids) for ids in completion_ids)
    seen["rollouts"] += len(completion_ids)
    seen["sampled"] = time.perf_counter()
    return [sum(token % 2 for token in ids) / max(1, len(ids)) for ids in completion_ids]


class Clock(TrainerCallback):
    def on_step_begin(self, *_, **__):
        seen["begin"] = time.perf_counter()

    def on_step_end(self, *_, **__):
        seen["end"] = time.perf_counter()


with tempfile.TemporaryDirectory() as out:
    rows = min(ROWS_AT_ONCE, rollouts)
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(model_folder, padding_side="left"),
        reward_funcs=odd_share, train_dataset=data, callbacks=[Clock()],
        args=GRPOConfig(output_dir=out, use_cpu=True, bf16=False, gradient_checkpointing=False, max_steps=1,
                        per_device_train_batch_size=rows, gradient_accumulation_steps=rollouts // rows,
                        num_generations=group_size, max_completion_length=turn_tokens, temperature=1.0, beta=0.0,
                        learning_rate=1e-6, shuffle_dataset=False, report_to=[], save_strategy="no", disable_tqdm=True))
    trainer.train()
print(json.dumps({"side": "trl", "threads": threads, "rollouts": seen["rollouts"], "sampled_tokens": seen["tokens"],
                  "summaries": 0, "rollout_seconds": round(seen["sampled"] - seen["begin"], 2),
                  "seconds": round(seen["end"] - seen["begin"], 2),
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
