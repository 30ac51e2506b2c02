#include "training.hpp"

namespace retool_summary {

Outcome train_answerer(const Options& options, const Setup& setup, Model& answerer,
                       Model& summarizer) {
  return train_pair<dualagent::TrainedAgents::answerer>(
      options, setup, dualagent::SeparateWeights{answerer, dualagent::Frozen{summarizer}});
}

}  // namespace retool_summary
