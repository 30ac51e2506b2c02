#include "quickstart/warm_start.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace quickstart;

namespace {

/// A small model that copies once it was updated more than 50 times, whatever it has learnt.
class CopiesLate : public Transformer<float> {
 public:
  CopiesLate()
      : Transformer<float>({.vocab_size = vocabulary::kSize,
                            .hidden_size = 4,
                            .num_hidden_layers = 1,
                            .num_attention_heads = 1,
                            .num_key_value_heads = 1,
                            .head_dim = 4,
                            .intermediate_size = 4,
                            .max_position_embeddings = 136}) {}

  void score(const BatchColumns& batch, const OutputColumns& outputs) const {
    std::fill_n(outputs.log_prob, batch.size(), weight_version() > 50 ? 0.0 : -1.0);
  }
};

constexpr std::size_t kSteps = 100, kSegments = 4;

}  // namespace

TEST_CASE("a warm start writes every 50 steps what share of each kind the model copies",
          "[quickstart]") {
  TemporaryFolder folder;
  const RandomStream random = RandomStream::from_seed(1);
  CopiesLate model;
  const std::vector<quickstart::Episode> measured{
      demonstrate_ledger(Memory::summaries, Difficulty{}, Sloppiness{}, random.child(9))};
  const RunOutcome outcome =
      warm_start(model, {Memory::summaries, kSteps, kSegments, random}, measured,
                 {.folder = folder.path(), .name = "warm", .steps = kSteps}, SlowStart::goes_on);
  REQUIRE(outcome.steps_done == kSteps);
  const RunFiles files{folder.path(), "warm"};
  const std::vector<MetricsRecord> records = read_metrics(files.metrics());
  REQUIRE(records.size() == kSteps);
  for (const std::size_t step : {0u, 48u, 50u, 98u})
    CHECK(!records[step].number("copied_next_page"));
  CHECK(records[49].number("copied_next_page") == 0.0);
  CHECK(records[99].number("copied_next_page") == 1.0);
  CHECK(records[0].number("learning_rate").value() == Approx(3e-3 / 50));
  CHECK(records[49].number("learning_rate").value() == Approx(3e-3));
  CHECK(records[99].number("learning_rate").value() < 0.11 * 3e-3);
  CHECK(std::filesystem::exists(files.checkpoints() / checkpoint_file_name(50)));
}

TEST_CASE("a warm start that has not begun to copy by its middle ends there, if it is to",
          "[quickstart]") {
  const RandomStream random = RandomStream::from_seed(1);
  const std::vector<quickstart::Episode> measured{
      demonstrate_ledger(Memory::summaries, Difficulty{}, Sloppiness{}, random.child(9))};
  const auto steps_done = [&](SlowStart slow, std::size_t steps) {
    TemporaryFolder folder;
    CopiesLate model;  // from step 51 on
    return warm_start(model, {Memory::summaries, steps, kSegments, random}, measured,
                      {.folder = folder.path(), .name = "warm", .steps = steps}, slow)
        .steps_done;
  };
  CHECK(steps_done(SlowStart::ends, 100) == 50);
  CHECK(steps_done(SlowStart::ends, 102) == 102);  // its middle is 51: it is measured after 100
  CHECK(steps_done(SlowStart::goes_on, 100) == 100);
}
