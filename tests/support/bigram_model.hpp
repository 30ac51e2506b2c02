#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/model/backend.hpp"

/// The smallest trainable model: row `a` of a table holds the logits of what follows token `a`.
/// Its critic, where it has one, is one more number per row. Everything can be checked by hand; all
/// arithmetic is in double.
class BigramModel {
 public:
  enum class Critic { none, per_token };

  explicit BigramModel(std::size_t vocab_size, Critic critic = Critic::none)
      : vocab_(vocab_size),
        critic_(critic),
        parameters_(vocab_size * (vocab_size + (critic == Critic::per_token ? 1 : 0)), 0.0),
        gradients_(parameters_.size(), 0.0),
        tensors_{{"logits", {vocab_size, vocab_size}, 0, vocab_size * vocab_size}} {
    if (has_value_head())
      tensors_.push_back({"values", {vocab_size}, vocab_size * vocab_size, vocab_size});
  }

  bool has_value_head() const { return critic_ == Critic::per_token; }

  BigramModel copy() const { return *this; }

  std::size_t vocab_size() const { return vocab_; }
  std::size_t max_context_tokens() const { return 1U << 20; }
  dualagent::WeightVersion weight_version() const { return version_; }

  void submit(const dualagent::GenerationRequest& request) {
    running_.push_back({request, {}, {}, {}});
  }

  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    std::vector<Running> still;
    for (Running& running : running_) {
      dualagent::FinishReason finish;
      if (sample(running, finish))
        on_finished(dualagent::Generation{
            running.request.sequence,
            dualagent::BackendAccess::sampled(running.request.agent, std::move(running.versions),
                                              std::move(running.tokens),
                                              std::move(running.log_probs)),
            finish});
      else
        still.push_back(std::move(running));
    }
    running_ = std::move(still);
    return running_.size();
  }

  void release(dualagent::SequenceId) {}
  void reset() { running_.clear(); }

  template <class Objective>
  void backward(const dualagent::BatchColumns& batch, const Objective& objective,
                const dualagent::OutputColumns& outputs) {
    visit_trained(batch, [&](std::size_t t, std::span<const double> p, double entropy) {
      const auto target = static_cast<std::size_t>(batch.token[t]);
      const double log_prob = static_cast<float>(std::log(p[target]));  // as it was sampled
      const double value = value_after(batch.token[t - 1]);
      const dualagent::TokenPrediction now{log_prob, entropy, value};
      outputs.write(t, now);
      const dualagent::TokenLossGradient gradient = objective(batch.loss, t, now);
      outputs.write(t, gradient);
      const std::size_t row = static_cast<std::size_t>(batch.token[t - 1]) * vocab_;
      for (std::size_t v = 0; v < vocab_; ++v) {
        const double d_log_prob = (v == target ? 1.0 : 0.0) - p[v];
        const double d_entropy = p[v] > 0 ? -p[v] * (std::log(p[v]) + entropy) : 0.0;
        gradients_[row + v] += batch.loss_weight[t] / static_cast<double>(batch.temperature_of(t)) *
                               (gradient.d_log_prob * d_log_prob + gradient.d_entropy * d_entropy);
      }
      if (has_value_head())
        gradients_[vocab_ * vocab_ + static_cast<std::size_t>(batch.token[t - 1])] +=
            batch.loss_weight[t] * gradient.d_value;
    });
  }

  void score(const dualagent::BatchColumns& batch, const dualagent::OutputColumns& outputs) {
    visit_trained(batch, [&](std::size_t t, std::span<const double> p, double entropy) {
      outputs.write(
          t, dualagent::TokenPrediction{std::log(p[static_cast<std::size_t>(batch.token[t])]),
                                        entropy, value_after(batch.token[t - 1])});
    });
  }

  std::span<double> parameters() { return parameters_; }
  std::span<const double> parameters() const { return parameters_; }
  std::span<double> gradients() { return gradients_; }
  std::span<const dualagent::TensorInfo> tensors() const { return tensors_; }
  void zero_gradients() { std::fill(gradients_.begin(), gradients_.end(), 0.0); }
  void weights_changed() { ++version_; }
  void weights_changed(dualagent::WeightVersion version) { version_ = version; }

 private:
  double value_after(dualagent::Token token) const {
    return has_value_head() ? parameters_[vocab_ * vocab_ + static_cast<std::size_t>(token)] : 0.0;
  }

  struct Running {
    dualagent::GenerationRequest request;
    std::vector<dualagent::Token> tokens;
    std::vector<float> log_probs;
    std::vector<dualagent::WeightVersion> versions;
  };

  std::vector<double> probabilities(dualagent::Token last, double temperature) const {
    std::vector<double> p(vocab_);
    const double* row = &parameters_[static_cast<std::size_t>(last) * vocab_];
    const double top = *std::max_element(row, row + vocab_);
    double sum = 0;
    for (std::size_t v = 0; v < vocab_; ++v) sum += p[v] = std::exp((row[v] - top) / temperature);
    for (double& value : p) value /= sum;
    return p;
  }

  bool sample(Running& running, dualagent::FinishReason& finish) const {
    const auto& request = running.request;
    const bool greedy = request.sampling.temperature == 0.0F;
    const dualagent::Token last =
        running.tokens.empty() ? request.context.back() : running.tokens.back();
    const std::vector<double> p =
        probabilities(last, greedy ? 1.0 : static_cast<double>(request.sampling.temperature));
    std::size_t drawn = 0;
    if (greedy) {
      drawn = static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
    } else {
      double left = request.random.uniform(running.tokens.size());
      while (drawn + 1 < vocab_ && left >= p[drawn]) left -= p[drawn++];
    }
    running.tokens.push_back(static_cast<dualagent::Token>(drawn));
    running.log_probs.push_back(static_cast<float>(std::log(p[drawn])));
    running.versions.push_back(version_);
    const dualagent::StopRule& stop = *request.stop;
    const auto& stops = stop.stop_tokens;
    if (std::find(stops.begin(), stops.end(), running.tokens.back()) != stops.end())
      return finish = dualagent::FinishReason::stop, true;
    if (stop.stop_early && stop.stop_early(running.tokens))
      return finish = dualagent::FinishReason::early, true;
    return finish = dualagent::FinishReason::length, running.tokens.size() >= stop.max_new_tokens;
  }

  template <class Visitor>
  void visit_trained(const dualagent::BatchColumns& batch, Visitor&& visit) const {
    for (std::size_t r = 0; r < batch.rows; ++r)
      for (std::size_t t = batch.row_begin[r] + 1; t < batch.row_begin[r + 1]; ++t) {
        if (batch.loss_weight[t] == 0.0F) continue;
        const std::vector<double> p =
            probabilities(batch.token[t - 1], static_cast<double>(batch.temperature_of(t)));
        double entropy = 0;
        for (const double value : p) entropy -= value > 0 ? value * std::log(value) : 0.0;
        visit(t, p, entropy);
      }
  }

  std::size_t vocab_;
  Critic critic_;
  std::vector<double> parameters_;  // [vocab, vocab], then [vocab] values
  std::vector<double> gradients_;
  std::vector<dualagent::TensorInfo> tensors_;
  std::vector<Running> running_;

 protected:
  dualagent::WeightVersion version_ = 0;
};
static_assert(dualagent::Sampler<BigramModel> && dualagent::Learner<BigramModel>);
