#include "training.hpp"

namespace retool_summary {

Outcome train_two(const Options& options, const Setup& setup, Model& answerer, Model& summarizer) {
  return train_pair<dualagent::TrainedAgents::both>(
      options, setup, dualagent::SeparateWeights{answerer, summarizer});
}

}  // namespace retool_summary
