#include "quickstart/warm_start.hpp"

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

}  // namespace

TEST_CASE("a warm start writes every 50 steps what share of each kind the model copies",
          "[quickstart]") {
  TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  const RandomStream random = RandomStream::from_seed(1);
  CopiesWhenTold model;
  WarmStart<CopiesWhenTold> work(
      model, kSteps,
      DemonstrationStream(Memory::summaries, kSteps, WarmStart<CopiesWhenTold>::kBatchSegments,
                          random),
      {demonstrate_ledger(Memory::summaries, Difficulty{}, random.child(9))});
  {
    MetricsWriter metrics(path);
    for (std::size_t step = 0; step < work.steps(); ++step) {
      model.copies = step >= 50;
      work.step(step, metrics);
    }
  }
  const std::vector<MetricsRecord> records = read_metrics(path);
  REQUIRE(records.size() == kSteps);
  for (const std::size_t step : {0u, 48u, 50u, 98u})
    CHECK(!records[step].number("copied_next_page"));
  CHECK(records[49].number("copied_next_page") == 0.0);
  CHECK(records[99].number("copied_next_page") == 1.0);
  CHECK(records[0].number("learning_rate_scale") == 1.0 / 50);
  CHECK(records[49].number("learning_rate_scale") == 1.0);
  CHECK(records[99].number("learning_rate_scale").value() < 0.11);
}
