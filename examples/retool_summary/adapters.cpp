#include "training.hpp"

namespace retool_summary {

Outcome train_adapters(const Options& options, const Setup& setup, const Model& base,
                       AdaptedModel& answerer, AdaptedModel& summarizer) {
  return train_pair<dualagent::TrainedAgents::both>(
      options, setup, dualagent::SharedBase{base, answerer, summarizer});
}

}  // namespace retool_summary
