#include "retool_summary/run.hpp"

#include <string>
#include <vector>

#include "dualagent/model/adapter_files.hpp"
#include "dualagent/model/model_files.hpp"
#include "retool_summary/agents.hpp"
#include "retool_summary/tiny_folder.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace retool_summary;

namespace {

/// A tiny model, tasks for training and for evaluation.
struct Place {
  TemporaryFolder folder;

  Place() {
    tiny_folder::write(folder / "m");
    write_tasks("train.jsonl", 100);
    write_tasks("held.jsonl", 200);
  }
  void write_tasks(const std::string& name, int first) const {
    std::string rows;
    for (int i = first; i < first + 3; ++i) {
      const std::string sum = std::to_string(i + 1);
      rows += "{\"question\": \"" + std::to_string(i) + " and one?\", \"answer\": \"<<" +
              std::to_string(i) + "+1=" + sum + ">>" + sum + "\\n#### " + sum + "\"}\n";
    }
    dualagent::write_file_atomically(folder / name, rows);
  }

  Options options(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"--model",
                                 folder / "m",
                                 "--tasks",
                                 folder / "train.jsonl",
                                 "--out",
                                 folder / out,
                                 "--budget",
                                 "1100",
                                 "--turn-tokens",
                                 "24",
                                 "--steps",
                                 "2",
                                 "--tasks-per-step",
                                 "2",
                                 "--group-size",
                                 "2",
                                 "--learning-rate",
                                 "1e-3",
                                 "--stored-as",
                                 "f32",
                                 "--threads",
                                 "1",
                                 "--sandbox",
                                 "auto"};
    all.insert(all.end(), more.begin(), more.end());
    std::vector<const char*> arguments;
    for (const std::string& text : all) arguments.push_back(text.c_str());
    return parse_options(arguments);
  }

  std::string weights(const std::string& folder_of_model) const {
    return dualagent::read_file(folder / folder_of_model / "model.safetensors");
  }
};

/// A reward that differs between rollouts of a random model, which never earn the real one.
struct OddTokens {
  std::optional<double> score(const dualagent::Task&, const dualagent::Rollout& rollout) const {
    double odd = 0;
    for (const dualagent::Segment& segment : rollout.segments)
      for (const dualagent::Span& span : segment.context.spans())
        if (span.is_sampled())
          for (const dualagent::Token token : segment.context.tokens(span)) odd += token % 2;
    return odd;
  }
};

}  // namespace

TEST_CASE("a whole run leaves a model that loads again, a report and what it measured",
          "[retool_summary]") {
  const Place place;
  const std::vector<std::string> evaluated{"--eval-tasks",          place.folder / "held.jsonl",
                                           "--eval-samples",        "2",
                                           "--eval-every",          "1",
                                           "--warm-start-steps",    "2",
                                           "--warm-start-episodes", "1"};
  run(place.options("out", evaluated), "the command");
  for (const char* name :
       {"report.html", "result.json", "metrics/pair.jsonl", "metrics/warm_start.jsonl",
        "models/pair/tokenizer.json", "models/pair/tokenizer_config.json", "score_before.json"}) {
    INFO(name);
    CHECK(std::filesystem::exists(place.folder / "out" / name));
  }
  auto model = dualagent::load_model(place.folder / "out/models/pair");
  CHECK(model.vocab_size() == 259);
  CHECK(place.weights("out/models/pair") != place.weights("m"));
  const auto records = dualagent::read_metrics(place.folder / "out/metrics/pair.jsonl");
  REQUIRE(records.size() == 2);
  for (const char* name : {"rollout_seconds", "summary_seconds", "tool_seconds", "update_seconds",
                           "eval_seconds", "eval_mean", "eval_boxed", "boxed"}) {
    INFO(name);
    CHECK(records[1].number(name).has_value());
  }
  CHECK(records[1].number("max_abs_log_ratio") == 0.0);
  CHECK(read_score(place.folder / "out/score_before.json").rollouts == 6);

  SECTION("a run that was stopped after a step and resumed ends with the same bytes") {
    std::vector<std::string> stopped = evaluated;
    stopped.insert(stopped.end(), {"--steps", "1"});
    run(place.options("again", stopped), "the command");
    std::vector<std::string> resumed = evaluated;
    resumed.emplace_back("--resume");
    run(place.options("again", resumed), "the command");
    CHECK(place.weights("again/models/pair") == place.weights("out/models/pair"));
    const auto again = dualagent::read_metrics(place.folder / "again/metrics/pair.jsonl");
    REQUIRE(again.size() == 2);
    for (const char* name : {"reward_mean", "sampled_tokens", "eval_mean", "eval_boxed"})
      CHECK(again[1].number(name) == records[1].number(name));
  }
  SECTION("a resumed run with another budget is refused by name") {
    std::vector<std::string> other = evaluated;
    other.insert(other.end(), {"--resume", "--budget", "1200"});
    CHECK_THAT(error_of([&] { run(place.options("out", other), ""); }),
               ContainsSubstring("budget was 1100 and is 1200"));
  }
}

TEST_CASE("every pair is trained where its view says so, and nowhere else", "[retool_summary]") {
  const Place place;
  const auto train = [&](auto&& pair_of, std::vector<std::string> more, const std::string& out) {
    const Options options = place.options(out, std::move(more));
    Model answerer = dualagent::load_model(options.model);
    Model summarizer = answerer.copy();
    Setup setup = make_setup(options, answerer);
    setup.reward = AnyReward(OddTokens{});
    pair_of(options, setup, answerer, summarizer);
    const auto moved = [&](const Model& model) {
      const Model start = dualagent::load_model(options.model);
      return !std::equal(model.parameters().begin(), model.parameters().end(),
                         start.parameters().begin());
    };
    return std::pair(moved(answerer), moved(summarizer));
  };
  const auto shared = [](const auto& options, const auto& setup, Model& model, Model&) {
    train_shared(options, setup, model);
  };
  CHECK(train(shared, {}, "all") == std::pair(true, false));
  CHECK(train(shared, {"--train", "final", "--mean", "rollouts"}, "final") ==
        std::pair(true, false));
  // No summary is sampled: the Summarizer has nothing to learn from.
  CHECK(train(train_two, {"--pair", "two"}, "two") == std::pair(true, false));
  CHECK(train(train_answerer, {"--pair", "two", "--train", "final"}, "answerer") ==
        std::pair(true, false));
}

TEST_CASE("two models come out as two directories", "[retool_summary]") {
  const Place place;
  tiny_folder::write(place.folder / "s", 4);
  run(place.options("out", {"--pair", "two", "--train", "answerer", "--summarizer-model",
                            place.folder / "s", "--steps", "1"}),
      "");
  CHECK(dualagent::load_model(place.folder / "out/models/answerer").vocab_size() == 259);
  CHECK(place.weights("out/models/summarizer") == place.weights("s"));
}

TEST_CASE("two adapters over one base come out as PEFT directories", "[retool_summary]") {
  const Place place;
  const Options options = place.options("out", {"--pair", "adapters", "--rank", "2"});
  {
    Model base = dualagent::load_model(options.model);
    AdaptedModel answerer(base, {.rank = 2}), summarizer(base, {.rank = 2});
    const std::vector<float> before(answerer.parameters().begin(), answerer.parameters().end());
    Setup setup = make_setup(options, base);
    setup.reward = AnyReward(OddTokens{});
    train_adapters(options, setup, base, answerer, summarizer);
    const Model start = dualagent::load_model(options.model);
    CHECK(
        std::equal(base.parameters().begin(), base.parameters().end(), start.parameters().begin()));
    CHECK(!std::equal(before.begin(), before.end(), answerer.parameters().begin()));
    // No summary is sampled: the Summarizer has nothing to learn from.
    CHECK(std::equal(before.begin(), before.end(), summarizer.parameters().begin()));
  }
  run(place.options("warm", {"--pair", "adapters", "--rank", "2", "--alpha", "3", "--steps", "1",
                             "--warm-start-steps", "1", "--warm-start-episodes", "1"}),
      "");
  Model base = dualagent::load_model(place.folder / "warm/models/base");
  CHECK(place.weights("warm/models/base") != place.weights("m"));
  for (const char* agent : {"answerer", "summarizer"}) {
    const std::filesystem::path folder = place.folder / "warm/models" / agent;
    CHECK(dualagent::load_adapter(folder, base).adapter().alpha == 3);
    CHECK(dualagent::read_adapter_config(folder / "adapter_config.json").base_model == "../base");
  }
}

TEST_CASE("what does not fit the files is refused by name", "[retool_summary]") {
  const Place place;
  const auto refusal = [&](std::vector<std::string> more) {
    return error_of([&] { run(place.options("out", std::move(more)), ""); });
  };
  CHECK_THAT(refusal({"--model", place.folder / "none"}), ContainsSubstring("none"));
  CHECK_THAT(refusal({"--tasks", place.folder / "none"}), ContainsSubstring("none"));
  CHECK_THAT(refusal({"--eval-tasks", place.folder / "train.jsonl"}),
             ContainsSubstring("--eval-tasks") && ContainsSubstring("train.jsonl:1") &&
                 ContainsSubstring("also a training task's"));
  CHECK_THAT(refusal({"--context", "4096"}), ContainsSubstring("--context"));
  tiny_folder::write(place.folder / "s", 4);
  dualagent::write_file_atomically(place.folder / "s/tokenizer.json", "{}");
  CHECK_THAT(refusal({"--pair", "two", "--summarizer-model", place.folder / "s"}),
             ContainsSubstring("--summarizer-model") && ContainsSubstring("another tokenizer"));
  CHECK_THAT(refusal({"--judge", "ftp://h", "--judge-model", "j"}),
             ContainsSubstring("ftp://h") || ContainsSubstring("--judge"));
}
