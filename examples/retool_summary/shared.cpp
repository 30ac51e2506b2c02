#include "training.hpp"

namespace retool_summary {

Outcome train_shared(const Options& options, const Setup& setup, Model& model) {
  return train_pair<dualagent::TrainedAgents::both>(options, setup,
                                                    dualagent::SharedWeights{model});
}

}  // namespace retool_summary
