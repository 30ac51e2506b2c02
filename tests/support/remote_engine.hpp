#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "support/bigram_model.hpp"

/// Samples in another place than the learner: it has weights of its own, which only `publish`
/// changes. Like an engine of low precision it rounds them, to multiples of 1/`steps_per_unit`, so
/// its log-probabilities are not the learner's.
class RemoteEngine : private BigramModel {
 public:
  explicit RemoteEngine(std::size_t vocab_size, double steps_per_unit = 4.0)
      : BigramModel(vocab_size), steps_per_unit_(steps_per_unit) {}

  using BigramModel::advance;
  using BigramModel::max_context_tokens;
  using BigramModel::release;
  using BigramModel::reset;
  using BigramModel::submit;
  using BigramModel::vocab_size;
  using BigramModel::weight_version;

  template <class LearnerModel>
  dualagent::WeightVersion publish(LearnerModel& learner, dualagent::WeightVersion version) {
    using Scalar = typename decltype(learner.parameters())::value_type;
    dualagent::AlignedVector<Scalar> room;
    const auto weights = dualagent::on_host(learner, learner.parameters(), room);
    std::transform(weights.begin(), weights.end(), parameters().begin(),
                   [&](double w) { return std::round(w * steps_per_unit_) / steps_per_unit_; });
    published_.push_back(version);
    return version_ = version;
  }

  /// Versions in the order in which they came.
  const std::vector<dualagent::WeightVersion>& published() const { return published_; }
  /// Log-probability of a token after another one, at temperature 1.
  double log_prob(dualagent::Token after, dualagent::Token token) {
    const double* const row = &parameters()[static_cast<std::size_t>(after) * vocab_size()];
    double sum = 0;
    for (std::size_t v = 0; v < vocab_size(); ++v) sum += std::exp(row[v]);
    return row[static_cast<std::size_t>(token)] - std::log(sum);
  }

 private:
  double steps_per_unit_;
  std::vector<dualagent::WeightVersion> published_;
};
static_assert(dualagent::Sampler<RemoteEngine> && !dualagent::Learner<RemoteEngine>);
static_assert(dualagent::TakesWeightsOf<RemoteEngine, BigramModel>);
