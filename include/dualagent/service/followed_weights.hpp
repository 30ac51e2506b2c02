#pragma once

/// Needs cpp-httplib, as service/sampler_service.hpp. Not part of the umbrella.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "dualagent/service/sampler_service.hpp"
#include "dualagent/train/learner_memory.hpp"
#include "dualagent/train/pair_learners.hpp"
#include "dualagent/train/weight_folder.hpp"

namespace dualagent {

/// Keeps a service at the weights that a learner publishes to a WeightFolder: the service looks for
/// them, so a learner need not know who serves, and a service that died has the newest ones as soon
/// as it is back.
///
/// Weights are labelled with their version, in decimal digits, as SglangEngine::follow expects.
/// Requests in flight go on under the new weights, as with /update_weights_from_disk. It never goes
/// back: a learner that was killed between publishing and its checkpoint makes the same weights
/// again. Used by one thread. Holds a reference to the service.
/// Example: FollowedWeights newest(service, WeightFolder{"summarizer/weights"}, 1);
///          while (!StopSignals::requested())
///            if (!newest.advance()) std::this_thread::sleep_for(2ms);
template <class M>
class FollowedWeights {
 public:
  /// `model` is the number of the served model in the learner's pair: 0 that of the Answerer, 1
  /// that of the Summarizer.
  FollowedWeights(SamplerService<M>& service, WeightFolder weights, std::size_t model)
      : service_(&service), weights_(std::move(weights)), name_(name_of_model({}, model)) {}

  /// Takes newer weights over, if there are any. Whether it did.
  /// Errors: Error for a damaged file and for weights of another model; the service goes on with
  /// those that it has.
  bool advance() {
    const std::optional<std::uint64_t> newest = weights_.newest_step();
    if (!newest || (step_ && *newest <= *step_)) return false;
    const std::optional<StoredCheckpoint> weights = weights_.newest();
    if (!weights) return false;
    const WeightVersion version = weights->number(name_ + ".weight_version");
    const bool is_new = version != version_;
    if (is_new)
      service_->loop().update(
          [&](M& model) {
            load_parameters(model, *weights, name_ + ".weights");
            model.weights_changed(version);
          },
          std::to_string(version));
    step_ = weights->step();
    version_ = version;
    return is_new;
  }

  /// The version that it took over last; nothing while none was published.
  std::optional<WeightVersion> version() const { return version_; }

 private:
  SamplerService<M>* service_;
  WeightFolder weights_;
  std::string name_;
  std::optional<std::uint64_t> step_;  // of the weights that the service has
  std::optional<WeightVersion> version_;
};

}  // namespace dualagent
