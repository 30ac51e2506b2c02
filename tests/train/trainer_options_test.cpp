#include "dualagent/train/trainer_options.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"
#include "support/warnings.hpp"

using namespace dualagent;

using guessing::five_tasks;
using guessing::protocol;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// What a trainer of these options and this reward and recipe says when it is made.
template <class R = ExactMatch, class Objective = Dapo>
std::string refusal(const TrainerOptions& options, const R& reward = {},
                    const Objective& objective = {}) {
  BigramModel model = guessing::model();
  const std::vector<double> before = guessing::weights(model);
  const std::string error = error_of([&] {
    Trainer{SharedWeights{model}, protocol(), reward, Recipe{objective}, options};
  });
  CHECK(guessing::weights(model) == before);
  return error;
}

/// What one step says of its arguments; weights must not change if it fails.
std::string failure(std::size_t tasks, double scale = 1.0) {
  BigramModel model = guessing::model();
  const std::vector<double> before = guessing::weights(model);
  Trainer trainer{
      SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Dapo{}}, {.group_size = 4}};
  const std::string error = error_of([&] { trainer.step(five_tasks(tasks), scale); });
  if (error != "no error") CHECK(guessing::weights(model) == before);
  return error;
}

}  // namespace

TEST_CASE("what cannot be meant is refused when a trainer is made", "[train]") {
  const auto names = [](const std::string& error, const char* text) {
    CHECK_THAT(error, ContainsSubstring(text));
  };
  names(refusal({.minibatches = 0}), "minibatches is 0");
  names(refusal({.epochs = 0}), "epochs is 0");
  names(refusal({.summary_forks = {.continuations = 2, .histories_per_group = 9}}),
        "histories_per_group is 9");
  names(refusal({.sampling = {.answerer = {0.0F}}}), "nothing to learn");
  names(refusal({.sampling = {.summarizer = {std::nanf("")}}}), "a temperature is nan");
  names(refusal({.sampling = {.answerer = {.top_k = 1}}}), "top_k is 1");
  names(refusal({.sampling = {.answerer = {.min_p = 1.0F}}}), "nothing to learn");
  names(refusal({.sampling = {.answerer = {.top_p = 2.0F}}}), "answerer.top_p is 2");
  names(refusal({.update = {.max_gradient_norm = 0}}), "max_gradient_norm is 0");
  names(refusal({.update = {.optimizer = {.beta2 = 1.0}}}), "beta2 is 1");
  names(refusal({.scheduler = {.tool_threads = 0}}), "tool_threads is 0");
  // Each of them would be made, and end in a std::bad_alloc without a name.
  constexpr std::size_t kAbsurd = std::size_t{1} << 60U;
  names(refusal({.group_size = kAbsurd}), "group_size is 1152921504606846976 (TrainerOptions)");
  names(refusal({.minibatches = kAbsurd}), "minibatches is 1152921504606846976");
  names(refusal({.epochs = kAbsurd}), "epochs is 1152921504606846976");
  names(refusal({.summary_forks = {.continuations = kAbsurd}}), "continuations is 11529215046068");
  names(refusal({.scheduler = {.tool_threads = kAbsurd}}), "tool_threads is 1152921504606846976");
  names(refusal({}, ExactMatch{.success = kNan}), "success is nan");
  Dapo dapo;
  dapo.loss.clip_high = kNan;
  names(refusal({}, ExactMatch{}, dapo), "clip_high is nan");
  CHECK(refusal({}) == "no error");
}

TEST_CASE("a step without tasks, or with a scale that cannot be meant, changes nothing",
          "[train]") {
  CHECK(failure(2) == "no error");
  CHECK_THAT(failure(0), ContainsSubstring("there are no tasks") &&
                             ContainsSubstring("No weight has changed in this step"));
  for (const double scale : {kNan, std::numeric_limits<double>::infinity(), -1.0})
    CHECK_THAT(failure(2, scale), ContainsSubstring("learning rate's scale") &&
                                      ContainsSubstring("No weight has changed"));
}

TEST_CASE("a trainer goes on only with the options that it was saved with", "[train]") {
  BigramModel model = guessing::model();
  TemporaryFolder folder;
  const TrainerOptions options{.group_size = 4, .seed = 3};
  const auto make = [&](const TrainerOptions& given) {
    return Trainer{SharedWeights{model}, protocol(), ExactMatch{}, Recipe{Dapo{}}, given};
  };
  auto saved = make(options);
  Checkpoint checkpoint{.step = 1};
  saved.save(checkpoint);
  write_checkpoint(folder.path(), checkpoint);
  const LatestCheckpoint latest = latest_checkpoint(folder.path(), {});
  const auto load = [&](const TrainerOptions& given) {
    auto other = make(given);
    return error_of([&] { other.load(*latest.checkpoint); });
  };
  Warnings warnings;
  CHECK(load(options) == "no error");
  CHECK(load({.group_size = 4, .scheduler = {.max_live_episodes = 3}, .seed = 3}) == "no error");
  CHECK(warnings.count() == 0);
  CHECK_THAT(load({.group_size = 8, .seed = 4}),
             ContainsSubstring("group_size was 4 and is 8, seed was 3 and is 4"));
  CHECK_THAT(load({.group_size = 4, .minibatches = 1, .seed = 3}),
             ContainsSubstring("minibatches was 2 and is 1"));
  CHECK_THAT(load({.group_size = 4, .sampling = {.answerer = {.top_k = 7}}, .seed = 3}),
             ContainsSubstring("answerer.top_k was not set and is 7"));
  CHECK(load({.group_size = 4, .update = {.optimizer = {.learning_rate = 0.5}}, .seed = 3}) ==
        "no error");
  CHECK_THAT(warnings.text(), ContainsSubstring("update.learning_rate was 1e-04 and is 0.5"));
}

TEST_CASE("the options in a checkpoint have the names that its readers know", "[train]") {
  CHECK(options_text(TrainerOptions{.seed = 3}, 8) ==
        R"({"answerer.temperature":"1","epochs":"1","group_size":"8","minibatches":"2","seed":"3",)"
        R"("summarizer.temperature":"1","summary_forks.continuations":"1",)"
        R"("summary_forks.histories_per_group":"1","update.beta1":"0.9","update.beta2":"0.999",)"
        R"("update.epsilon":"1e-08","update.learning_rate":"1e-04",)"
        R"("update.max_gradient_norm":"1","update.weight_decay":"0"})");
}

TEST_CASE("two trainers share a checkpoint under names of their own", "[train]") {
  BigramModel one = guessing::model(), two = guessing::model(), again(toy::vocab);
  const TrainerOptions options{.group_size = 8, .seed = 3};
  Trainer first{SharedWeights{one}, protocol(), ExactMatch{}, Recipe{Dapo{}}, options};
  Trainer second{SharedWeights{two}, protocol(), ExactMatch{}, Recipe{Dapo{}}, options};
  second.step(five_tasks(60));
  Checkpoint checkpoint{.step = 1};
  first.save(checkpoint);
  CHECK_THROWS_WITH(second.save(checkpoint), ContainsSubstring("\"model0.weights\" already"));
  second.save(checkpoint, "second");
  TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint);
  const LatestCheckpoint latest = latest_checkpoint(folder.path(), {});
  Trainer resumed{SharedWeights{again}, protocol(), ExactMatch{}, Recipe{Dapo{}}, options};
  resumed.load(*latest.checkpoint, "second");
  CHECK(resumed.steps_done() == 1);
  second.step(five_tasks(60));
  resumed.step(five_tasks(60));
  CHECK(guessing::weights(again) == guessing::weights(two));
}

TEST_CASE("a checkpoint that fits one model of a pair only changes neither", "[train]") {
  BigramModel large = guessing::model(), other = guessing::model(), small(4);
  TemporaryFolder folder;
  Trainer saved{SeparateWeights{large, small}, protocol(), ExactMatch{}, Recipe{Dapo{}}};
  large.parameters()[0] = 3.0;
  Checkpoint checkpoint{.step = 1};
  saved.save(checkpoint);
  write_checkpoint(folder.path(), checkpoint);
  BigramModel summarizer = guessing::model();
  Trainer loads{SeparateWeights{other, summarizer}, protocol(), ExactMatch{}, Recipe{Dapo{}}};
  CHECK_THROWS_WITH(loads.load(*latest_checkpoint(folder.path(), {}).checkpoint),
                    ContainsSubstring("\"model1.weights\" has 16 elements, expected 400"));
  CHECK(other.parameters()[0] == 0.0);
}
