#pragma once

#include <string_view>

namespace retool_summary {

inline constexpr std::string_view kHelp =
    R"(Trains an Answerer that calls a sandboxed Python tool and a Summarizer that shortens its history,
on tasks with a boxed answer: the reference system's job in one process.

usage: bash examples/retool_summary/run.sh [options]

Without --model: SmolLM2-135M and small tasks that come with the example, in settings for two cores.
With --model the defaults below count.

  --model DIR                  a Hugging Face directory, of both agents; required
  --tasks FILE                 JSON lines: rows of GSM8K, DAPO-Math, AIME, MATH, chats or dualagent; required
  --out DIR                    output folder (default retool-summary-out)
  --resume                     go on with the run in the output folder

agents
  --pair shared|two|adapters   one model in both roles, two models, or two low-rank adapters over one model
                               that stays as it is (default shared)
  --rank N, --alpha X          of the adapters; their scale is alpha / rank (default 16, 32)
  --summarizer-model DIR       another directory for the Summarizer, with the same tokenizer; --pair two
  --system TEXT                the Answerer's system message
  --budget N                   tokens of a context above which it is summarized (default 2048)
  --context N                  tokens of a context window (default: the model's, at most 16384)
  --max-turns N, --max-calls N of an episode (default 16, 16)
  --turn-tokens N              of one turn (default 4096)
  --summary-tokens N           of one summary (default 2048)
  --sandbox auto|bubblewrap|rlimits   of the tool (default auto: bubblewrap where it works)
  --tool-seconds X             of one call (default 10)
  --temperature X              of the Answerer (default 1)
  --summarizer-temperature X, --summarizer-top-p X   (default 1, 1)

reward
  --reward strict|guarded|reference   1 or -1 for the box at the answer's end; the same with bonuses that
                               never lift a wrong answer above 0; the reference system's shaping
                               (default strict)
  --judge URL, --judge-model NAME     a server that grades summaries, e.g. http://127.0.0.1:8000/v1
  --judge-weight X             of the grades, which never lift a wrong answer above 0 (default 0.2)
  --judge-key NAME             the environment variable with the server's key

training
  --train all|final+summaries|answerer|final   which sampled tokens are trained (default all; the
                               reference system's view is final)
  --mean tokens|rollouts       what the loss is the mean over (default tokens, as DAPO)
  --steps N                    (default 500)
  --tasks-per-step N, --group-size N, --minibatches N   (default 32, 8, 1)
  --learning-rate X            (default 1e-6)
  --warm-start-steps N         imitation first, of worked solutions in --tasks, which must be rows of
                               GSM8K's form with steps like <<3*14=42>> (default 0)
  --warm-start-episodes N, --warm-start-rate X   of one step, learning rate (default 4, 1e-4)

evaluation and files
  --eval-tasks FILE            held-out tasks, played before, every --eval-every steps and at the end
  --eval-every N, --eval-samples N    (default 30, 16: mean@16)
  --eval-temperature X, --eval-top-p X   of the Answerer (default 1, 0.7)
  --save-every N               steps between checkpoints (default 10)
  --stored-as bf16|f32         weights of the directories that come out (default bf16)

machine
  --live-episodes N            that are played at once (default 64)
  --gradient-parts N           parts of a batch that are worked on at once (default 2), each of which takes a copy of
                               the gradients; results depend on it
  --threads N                  (default: all cores); results do not depend on it
  --seed N                     (default 0)
  --help                       this text

Output: report.html, result.json, metrics/, checkpoints/ and models/: two Hugging Face directories,
answerer and summarizer, or one, pair; with --pair adapters two adapters in PEFT's form, and after a
warm start the base that they belong to.
)";

}  // namespace retool_summary
