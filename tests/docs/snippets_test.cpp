// Every block of C++ that the pages show, extracted by snippets.cmake, in the smallest program that
// it can stand in: PAGE/SECTION.inc. Most are compiled only; test cases run what needs nothing
// else.

#include <cstddef>
#include <dualagent/dualagent.hpp>
#include <iostream>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "dualagent/model/eigen_view.hpp"
#include "dualagent/optim/muon.hpp"
#include "objective_sweep/entries.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

namespace docs {

using namespace dualagent;

auto toy_protocol() { return Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{}}; }

template <class Model>
auto toy_trainer(Model& model) {
  return Trainer{SharedWeights{model}, toy_protocol(),    ExactMatch{},
                 Recipe{Dapo{}},       LocalCollective{}, {}};
}

void collectives(LocalCollective collective, std::span<float> gradients, std::size_t begin,
                 std::size_t end) {
#include "collectives/gradients-while-the-backward-pass-goes-on.inc"
}

void data(BigramModel& model, Checkpoint& checkpoint, const LatestCheckpoint& latest) {
  auto trainer = toy_trainer(model);
#include "data/data-tasks-and-conversations-from-files.inc"
}

void data_model(BigramModel& model) {
  const auto token_text = [](Token token) { return std::to_string(token); };
  const auto trainer = toy_trainer(model);
#include "data-model/rollouts-on-disk.inc"
}

namespace dialects {
#include "dialects/dialects-tokenizers-chat-templates-call-formats.inc"
}
namespace dialects {
#include "dialects/a-dialect-for-a-checkpoint.inc"
}

void fused_loss(std::span<const Token> target, std::span<const float> loss_weight,
                std::span<const float> old_log_prob, std::span<const float> advantage,
                std::size_t d, std::span<const float> hidden, std::span<const float> head,
                std::span<float> d_hidden, std::span<float> d_head) {
#include "fused-loss/fused-policy-loss.inc"
}

namespace real_pair {
#include "models/a-pair-on-a-real-model.inc"
}

namespace tokenizers {
#include "tokenizers/tokenizers-of-real-models.inc"
}
namespace tokenizers {
#include "tokenizers/a-text-that-grows.inc"
}

void models_real_models() {
#include "models/real-models.inc"
}
void models_precision() {
  namespace da = dualagent;
#include "models/precision.inc"
}
void models_adapters() {
#include "models/adapters.inc"
}

namespace objective_sweep {
using namespace ::objective_sweep;
#include "objective-sweep/add-a-line-2.inc"
using List = std::tuple<
#include "objective-sweep/add-a-line-3.inc"
#include "objective-sweep/add-a-line.inc"
    Entry<"DAPO", Recipe<Dapo>>>;
}  // namespace objective_sweep

auto objectives() {
  return
#include "objectives/objectives.inc"
      ;
}

namespace objectives_of_your_own {
#include "objectives/token-losses.inc"
static_assert(check_objective<Objective<GroupNormalized, MyLoss, RolloutMean>>());
}  // namespace objectives_of_your_own

TrainerOptions groups_of_summaries() {
#include "objectives/groups-of-summaries.inc"
  return options;
}

namespace policies {
#include "policies/tools.inc"
#include "policies/triggers.inc"
static_assert(SummaryTrigger<EveryThirdTurn>);
}  // namespace policies

void rewards_sums() {
#include "rewards/sums-and-bonuses.inc"
  static_assert(Reward<decltype(sum)> && Reward<decltype(form)> && Reward<decltype(calls)>);
}

struct ScoresAtOnce {
  std::optional<double> score(const Task&, const Rollout&) const { return 0.0; }
#include "rewards/many-rollouts-at-once.inc"
};
static_assert(ScoresTogether<ScoresAtOnce>);

void tools() {
#include "tools/tools-that-run-code.inc"
}

struct CountsCalls {
  static constexpr std::string_view name = "count";
  struct Arguments {
    template <class Visitor>
    void describe(Visitor&&) {}
  };
#include "tools/names-that-last-for-an-episode.inc"
};
static_assert(Tool<CountsCalls>);

void training(BigramModel& model, const std::vector<Task>& tasks) {
  const auto protocol = toy_protocol();
#include "training/the-trainer.inc"
}

int run(BigramModel& model, const std::vector<EvaluationTask>& held_out, TaskStream& tasks) {
  auto trainer = toy_trainer(model);
#include "training/a-run.inc"
  return 0;
}

void journal() {
#include "training/a-journal.inc"
}

template <class Demonstrations>
int warm_start(BigramModel& model, Demonstrations demonstrations) {
#include "training/warm-start.inc"
  return 0;
}
template int warm_start(BigramModel&, std::span<const Segment> (*)(std::size_t));

void several_ranks(std::vector<BigramModel>& models, const std::vector<Task>& tasks) {
  const auto protocol = toy_protocol();
#include "collectives/two-axes.inc"
#include "training/several-ranks.inc"
}

int ranks(BigramModel& model, TaskStream& tasks, TrainingRun& run) {
  const auto protocol = toy_protocol();
#include "ranks/ranks-one-run-as-several-processes.inc"
}

std::size_t long_rows() {
#include "ranks/long-rows-on-several-ranks.inc"
  return learner.vocab_size();
}

std::size_t long_rows_of_a_divided_model() {
#include "ranks/long-rows-on-several-ranks-2.inc"
  return mesh.model_axis().size();
}

std::size_t checkpoints(BigramModel& model, std::size_t done) {
  auto trainer = toy_trainer(model);
#include "training/checkpoints.inc"
  return done;
}

void reports() {
#include "training/metrics-and-reports.inc"
}

}  // namespace docs

TEST_CASE("the page's answers are equal", "[docs]") {
  using namespace dualagent;
#include "rewards/mathematical-answers.inc"
  CHECK(reward.success == 1.0);
  CHECK(equal_math("\\frac{3}{2}", "1.5"));
}

TEST_CASE("a tensor of a model is a matrix, and Muon trains it", "[docs]") {
  using namespace dualagent;
  Transformer<float> model({.vocab_size = 5,
                            .hidden_size = 8,
                            .num_hidden_layers = 1,
                            .num_attention_heads = 2,
                            .num_key_value_heads = 1,
                            .head_dim = 4,
                            .intermediate_size = 12,
                            .max_position_embeddings = 16});
#include "models/tensors-as-matrices.inc"
  CHECK(largest > 0.0F);
  CHECK(up.cwiseAbs().maxCoeff() == 0.5F * largest);
  CHECK(model.weight_version() == 1);
#include "policies/optimizers.inc"
  Segment segment;
  segment.context.append(Provenance::prompt, std::vector<Token>{0});
  segment.context.append(Provenance::demonstration, std::vector<Token>{1, 2});
  const double before = trainer.step(std::span(&segment, 1)).loss;
  CHECK(trainer.step(std::span(&segment, 1)).loss < before);
}

TEST_CASE("the model from scratch is one that can be trained", "[docs]") {
  namespace da = dualagent;
  const da::ByteTokenizer tokenizer({"<|im_start|>", "<|im_end|>"});
#include "models/a-model-from-scratch.inc"
  CHECK(model.vocab_size() == 258);
  CHECK(model.max_context_tokens() == 136);
  da::Segment segment;
  segment.context.append(da::Provenance::prompt, std::vector<da::Token>{'a'});
  segment.context.append(da::Provenance::demonstration, std::vector<da::Token>{'b', 'c'});
  da::SupervisedTrainer trainer{model, {.optimizer = {.learning_rate = 3e-3}}};
  const double before = trainer.step(std::span(&segment, 1)).loss;
  CHECK(trainer.step(std::span(&segment, 1)).loss < before);
}
