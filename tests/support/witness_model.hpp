#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/trace/packed_batch.hpp"

/// What a model really saw when it sampled one token.
struct Witness {
  std::vector<dualagent::Token> context;  // everything before the token
  dualagent::Token token = 0;
  dualagent::AgentRole agent = dualagent::AgentRole::answerer;
  dualagent::WeightVersion weight_version = 0;
};

/// A scripted model that remembers each token it sampled and each batch it was trained on.
///
/// The log-probability of a token is minus its serial number (exact in a float up to 2^24), so a
/// token can be recognised wherever it turns up later. Two models of one pair get serial numbers
/// from different ranges.
class WitnessModel {
 public:
  WitnessModel(std::size_t vocab_size, dualagent::ScriptedModel::Script script,
               std::size_t first_serial = 1)
      : first_serial_(first_serial), model_(vocab_size, std::move(script)) {}

  std::size_t vocab_size() const { return model_.vocab_size(); }
  std::size_t max_context_tokens() const { return model_.max_context_tokens(); }
  dualagent::WeightVersion weight_version() const { return version_; }

  void submit(const dualagent::GenerationRequest& request) {
    contexts_[request.sequence].assign(request.context.begin(), request.context.end());
    model_.submit(request);
  }

  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    return model_.advance([&](dualagent::Generation&& generation) {
      std::vector<dualagent::Token> context = contexts_.at(generation.sequence);
      const auto said = generation.sampled.tokens();
      std::vector<float> serials;
      for (const dualagent::Token token : said) {
        serials.push_back(-static_cast<float>(first_serial_ + sampled_.size()));
        sampled_.push_back({context, token, generation.sampled.agent(), version_});
        context.push_back(token);
      }
      on_finished(dualagent::Generation{
          generation.sequence,
          dualagent::BackendAccess::sampled(generation.sampled.agent(), version_,
                                            {said.begin(), said.end()}, std::move(serials)),
          generation.finish});
    });
  }

  void release(dualagent::SequenceId sequence) { model_.release(sequence); }
  void reset() { model_.reset(); }

  /// Leaves gradients at 0, keeps a copy of the batch and reports the log-probabilities of
  /// sampling.
  template <class Objective>
  void backward(const dualagent::BatchColumns& batch, const Objective& objective,
                const dualagent::OutputColumns& outputs) {
    trained_.push_back(copy_of(batch));
    score(batch, outputs);
    for (std::size_t t = 0; t < batch.size(); ++t)
      if (batch.loss_weight[t] != 0.0F) {
        const dualagent::TokenPrediction now{outputs.log_prob[t], 0.0, 0.0};
        outputs.write(t, objective(batch.loss, t, now));
      }
  }
  void score(const dualagent::BatchColumns& batch, const dualagent::OutputColumns& outputs) {
    for (std::size_t t = 0; t < batch.size(); ++t)
      outputs.log_prob[t] = static_cast<double>(batch.loss.old_log_prob[t]);
  }
  std::span<float> parameters() { return {&parameter_, 1}; }
  std::span<float> gradients() { return {&gradient_, 1}; }
  std::span<const dualagent::TensorInfo> tensors() const { return tensors_; }
  void zero_gradients() { gradient_ = 0; }
  void weights_changed() { ++version_; }
  void weights_changed(dualagent::WeightVersion version) { version_ = version; }

  /// Serial number i + first_serial is element i.
  const std::vector<Witness>& sampled() const { return sampled_; }
  std::size_t first_serial() const { return first_serial_; }
  const std::vector<dualagent::PackedBatch>& trained() const { return trained_; }

 private:
  static dualagent::PackedBatch copy_of(const dualagent::BatchColumns& columns) {
    dualagent::PackedBatch batch;
    for (std::size_t r = 0; r < columns.rows; ++r)
      batch.append_row({columns.token + columns.row_begin[r], columns.row_size(r)},
                       columns.rollout[r]);
    const auto copy = [&](auto& to, const auto* from) { to.assign(from, from + batch.size()); };
    copy(batch.loss_weight, columns.loss_weight);
    copy(batch.agent, columns.agent);
    copy(batch.sampler_log_prob, columns.sampler_log_prob);
    copy(batch.weight_version, columns.weight_version);
    copy(batch.old_log_prob, columns.loss.old_log_prob);
    copy(batch.advantage, columns.loss.advantage);
    batch.temperature = columns.temperature;
    batch.old_weight_version = columns.old_weight_version;
    return batch;
  }

  std::size_t first_serial_;
  dualagent::ScriptedModel model_;
  std::map<dualagent::SequenceId, std::vector<dualagent::Token>> contexts_;
  std::vector<Witness> sampled_;
  std::vector<dualagent::PackedBatch> trained_;
  std::vector<dualagent::TensorInfo> tensors_{{"nothing", {1}, 0, 1}};
  float parameter_ = 0;
  float gradient_ = 0;
  dualagent::WeightVersion version_ = 0;
};
static_assert(dualagent::Sampler<WitnessModel> && dualagent::Learner<WitnessModel>);
