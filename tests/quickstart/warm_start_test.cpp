#include "quickstart/warm_start.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace quickstart;

namespace {

/// A small model that copies when it is told to, whatever it has learnt.
class CopiesWhenTold : public Transformer<float> {
 public:
  CopiesWhenTold()
      : Transformer<float>({.vocab_size = vocabulary::kSize,
                            .hidden_size = 4,
                            .num_hidden_layers = 1,
                            .num_attention_heads = 1,
                            .num_key_value_heads = 1,
                            .head_dim = 4,
                            .intermediate_size = 4,
                            .max_position_embeddings = 136}) {}

  void score(const PackedBatch&, TokenOutputs& outputs) const {
    for (double& log_prob : outputs.log_prob) log_prob = copies ? 0 : -1;
  }

  bool copies = false;
};

constexpr std::size_t kSteps = 100;

WarmStart<CopiesWhenTold> warm_start(CopiesWhenTold& model) {
  const RandomStream random = RandomStream::from_seed(1);
  return {model,
          kSteps,
          DemonstrationStream(Memory::summaries, kSteps, WarmStart<CopiesWhenTold>::kBatchSegments,
                              random),
          {demonstrate_ledger(Memory::summaries, Difficulty{}, random.child(9))}};
}

/// The factor of the learning rate in every step, and the bars' total at the end.
struct Course {
  std::vector<double> rates;
  std::size_t steps = 0;
};

Course run(std::size_t copies_from, std::optional<std::size_t> interrupted_after = {}) {
  TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  CopiesWhenTold model;
  auto work = warm_start(model);
  MetricsWriter metrics(path);
  std::size_t done = 0;
  const auto go_on = [&](auto& some, CopiesWhenTold& its_model, std::size_t until) {
    for (; done < some.steps() && done < until; ++done) {
      its_model.copies = done + 1 >= copies_from;
      some.step(done, metrics);
    }
  };
  go_on(work, model, interrupted_after.value_or(SIZE_MAX));
  Course course{.rates = {}, .steps = work.steps()};
  if (interrupted_after) {
    Checkpoint checkpoint{.step = done, .fingerprint = {}};
    work.save(checkpoint);
    write_checkpoint(folder.path(), checkpoint);
    CopiesWhenTold other;
    auto resumed = warm_start(other);
    resumed.load(*latest_checkpoint(folder.path(), {}).checkpoint);
    go_on(resumed, other, SIZE_MAX);
    course.steps = resumed.steps();
  }
  for (const MetricsRecord& record : read_metrics(path))
    course.rates.push_back(record.number("learning_rate_scale").value());
  return course;
}

}  // namespace

TEST_CASE("a warm start varies and keeps its rate until the model copies, then decays",
          "[quickstart]") {
  struct Case {
    std::size_t copies_from, decays_from;
  };
  // Half of the steps at least, one and a half times at most; looked at every 50 steps.
  for (const Case& some : {Case{0, 50}, Case{51, 100}, Case{120, 150}, Case{1000, 150}}) {
    const Course course = run(some.copies_from);
    CHECK(course.steps == some.decays_from + 50);
    REQUIRE(course.rates.size() == course.steps);
    CHECK(course.rates[0] == 1.0 / 50);
    for (std::size_t i = 49; i <= some.decays_from; ++i) CHECK(course.rates[i] == 1);
    CHECK(course.rates[some.decays_from + 25] == Approx(0.55));  // half a cosine from 1 to 0.1
    CHECK(course.rates.back() < 0.11);
  }
}

TEST_CASE("a resumed warm start knows whether it decays", "[quickstart]") {
  const Course undisturbed = run(51);
  for (const std::size_t after : {30u, 99u, 100u, 120u})
    CHECK(run(51, after).rates == undisturbed.rates);
}
