#include "retool_summary/options.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace retool_summary;

namespace {

/// --model and --tasks, then what is given.
Options parse(std::vector<const char*> more) {
  std::vector<const char*> arguments{"--model", "m", "--tasks", "t"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return parse_options(arguments);
}
std::string refusal(std::vector<const char*> more) {
  return error_of([&] { parse(std::move(more)); });
}

}  // namespace

TEST_CASE("the defaults are the reference system's", "[retool_summary]") {
  const Options options = parse({});
  CHECK(options.model == "m");
  CHECK(options.tasks == "t");
  CHECK(options.budget == 2048);
  CHECK(options.max_turns == 16);
  CHECK(options.max_calls == 16);
  CHECK(options.turn_tokens == 4096);
  CHECK(options.summary_tokens == 2048);
  CHECK(options.tasks_per_step == 32);
  CHECK(options.group_size == 8);
  CHECK(options.steps == 500);
  CHECK(options.learning_rate == 1e-6);
  CHECK(options.eval_every == 30);
  CHECK(options.eval_samples == 16);
  CHECK(options.save_every == 10);
  CHECK(options.pair == Pair::shared);
  CHECK(options.trained == Trained::all);
  CHECK(options.reward == RewardForm::strict);
  CHECK(options.warm_start_steps == 0);
  CHECK(options.context_for(8192) == 8192);
  CHECK(options.context_for(131072) == 16384);
}

TEST_CASE("flags say what they say, the last one of a name counts", "[retool_summary]") {
  const Options options = parse({"--pair",      "two",
                                 "--train",     "final",
                                 "--mean",      "rollouts",
                                 "--reward",    "reference",
                                 "--steps",     "3",
                                 "--steps",     "4",
                                 "--context",   "900",
                                 "--budget",    "300",
                                 "--resume",    "--eval-tasks",
                                 "e",           "--eval-samples",
                                 "2",           "--eval-top-p",
                                 "0.9",         "--stored-as",
                                 "f32",         "--judge",
                                 "http://h/v1", "--judge-model",
                                 "j",           "--judge-weight",
                                 "0.5"});
  CHECK(options.pair == Pair::two);
  CHECK(options.trained == Trained::final_segment);
  CHECK(options.mean == Mean::rollouts);
  CHECK(options.reward == RewardForm::reference);
  CHECK(options.steps == 4);
  CHECK(options.context_for(8192) == 900);
  CHECK(options.resume);
  CHECK(options.eval_top_p == 0.9);
  CHECK(options.storage == Storage::f32);
  const Options adapters = parse({"--pair", "adapters", "--rank", "8", "--alpha", "12.5"});
  CHECK(adapters.pair == Pair::adapters);
  CHECK(adapters.rank == 8);
  CHECK(adapters.alpha == 12.5);
  CHECK(options.judge_weight == 0.5);
}

TEST_CASE("a flag that cannot be meant is refused by name", "[retool_summary]") {
  struct Case {
    std::vector<const char*> arguments;
    const char *flag, *why;
  };
  const std::vector<Case> cases{
      {{"--sed", "1"}, "--sed", "no option"},
      {{"--steps"}, "--steps", "value is missing"},
      {{"--pair"}, "--pair", "value is missing"},
      {{"--steps", "0"}, "--steps", "whole number from 1"},
      {{"--steps", "4.5"}, "--steps", "whole number"},
      {{"--group-size", "1"}, "--group-size", "from 2"},
      {{"--learning-rate", "0"}, "--learning-rate", "above 0"},
      {{"--learning-rate", "nan"}, "--learning-rate", "a number"},
      {{"--temperature", "0"}, "--temperature", "above 0"},
      {{"--summarizer-top-p", "1.5"}, "--summarizer-top-p", "to 1"},
      {{"--tool-seconds", "-1"}, "--tool-seconds", "above 0"},
      {{"--pair", "three"}, "--pair", "shared, two, adapters"},
      {{"--rank", "4"}, "--rank", "--pair adapters"},
      {{"--alpha", "4", "--pair", "two"}, "--alpha", "--pair adapters"},
      {{"--pair", "adapters", "--rank", "0"}, "--rank", "from 1"},
      {{"--train", "everything"}, "--train", "all, final+summaries, answerer, final"},
      {{"--reward", "kind"}, "--reward", "strict, guarded, reference"},
      {{"--sandbox", "docker"}, "--sandbox", "auto, bubblewrap, rlimits"},
      {{"--out", ""}, "--out", "a name"},
      {{"--judge", "http://h/v1"}, "--judge", "without --judge-model"},
      {{"--judge-model", "j"}, "--judge-model", "without --judge"},
      {{"--judge-weight", "1"}, "--judge-weight", "without --judge"},
      {{"--eval-samples", "4"}, "--eval-samples", "without --eval-tasks"},
      {{"--eval-every", "4"}, "--eval-every", "without --eval-tasks"},
      {{"--warm-start-rate", "1e-4"}, "--warm-start-rate", "without --warm-start-steps"},
      {{"--summarizer-model", "s"}, "--summarizer-model", "--pair two"},
      {{"--summarizer-model", "s", "--pair", "two", "--warm-start-steps", "1"},
       "--summarizer-model",
       "both agents begin"},
      {{"--context", "300", "--budget", "300"}, "--budget", "never passed"},
      {{"--eval-tasks", "e", "--eval-temperature", "0"}, "--eval-samples", "are equal"}};
  for (const Case& one : cases) {
    INFO(one.flag << ": " << one.why);
    CHECK_THAT(refusal(one.arguments), ContainsSubstring(one.flag) && ContainsSubstring(one.why));
  }
  CHECK_THAT(error_of([] {
               parse_options(std::vector<const char*>{"--tasks", "t"});
             }),
             ContainsSubstring("--model"));
  CHECK_THAT(error_of([] {
               parse_options(std::vector<const char*>{"--model", "m"});
             }),
             ContainsSubstring("--tasks"));
  CHECK(parse_options(std::vector<const char*>{"--help"}).help);
}
