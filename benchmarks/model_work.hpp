#pragma once

#include <cstddef>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "dualagent/optim/adamw.hpp"

/// What the benchmarks of models measure.
namespace bench {

/// One greedy generation of `new_tokens` after each prompt.
inline void decode(dualagent::Transformer<float>& model,
                   const std::vector<std::vector<dualagent::Token>>& prompts,
                   std::size_t new_tokens) {
  const dualagent::StopRule stop{
      .stop_tokens = {}, .max_new_tokens = new_tokens, .stop_early = nullptr};
  for (std::size_t s = 0; s < prompts.size(); ++s)
    model.submit({.sequence = s,
                  .context = prompts[s],
                  .agent = dualagent::AgentRole::answerer,
                  .sampling = {.temperature = 0.0F},
                  .stop = &stop,
                  .random = {}});
  while (model.advance([](dualagent::Generation&&) {}) > 0) {
  }
  model.reset();
}

/// Supervised steps (forward, backward, AdamW) on one batch; `model` and `batch` must outlive it.
template <class Model>
class TrainingStep {
 public:
  TrainingStep(Model& model, const dualagent::PackedBatch& batch, double learning_rate)
      : model_(model),
        batch_(batch),
        optimizer_{.learning_rate = learning_rate},
        moments_(model.parameters().size()) {
    outputs_.resize(batch.size());
  }
  TrainingStep(const TrainingStep&) = delete;  // moments are large
  TrainingStep& operator=(const TrainingStep&) = delete;

  void operator()() {
    const auto cross_entropy = [](const dualagent::loops::TokenColumns&, std::size_t,
                                  const dualagent::TokenPrediction& now) {
      return dualagent::TokenLossGradient{-now.log_prob, -1.0, 0.0};
    };
    model_.zero_gradients();
    model_.backward(batch_, cross_entropy, outputs_);
    optimizer_.step(model_.parameters(), model_.gradients(), moments_);
    model_.weights_changed();
  }

 private:
  Model& model_;
  const dualagent::PackedBatch& batch_;
  dualagent::AdamW optimizer_;
  dualagent::AdamWState<float> moments_;
  dualagent::TokenOutputs outputs_;
};

}  // namespace bench
