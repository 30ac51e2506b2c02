// A consumer of the installed package: one step of a transformer without the project's own flags.
// It says what came of it, to the bit.
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "dualagent/dualagent.hpp"

int main() {
  dualagent::Transformer<float> model({.vocab_size = 5,
                                       .hidden_size = 8,
                                       .num_hidden_layers = 1,
                                       .num_attention_heads = 2,
                                       .num_key_value_heads = 1,
                                       .head_dim = 4,
                                       .intermediate_size = 12,
                                       .max_position_embeddings = 16});
  dualagent::Segment segment;
  segment.context.append(dualagent::Provenance::prompt, std::vector<dualagent::Token>{0});
  segment.context.append(dualagent::Provenance::demonstration,
                         std::vector<dualagent::Token>{1, 2, 3});
  dualagent::SupervisedTrainer trainer{model, {.optimizer = {.learning_rate = 1e-2}}};
  double first = 0;
  double last = 0;
  for (int step = 0; step < 20; ++step) {
    last = trainer.step(std::span(&segment, 1)).loss;
    if (step == 0) first = last;
  }
  const std::uint64_t weights = dualagent::crc64(std::as_bytes(model.parameters()));
  std::printf("loss %.3f -> %.3f, weights %016llx\n", first, last,
              static_cast<unsigned long long>(weights));
  return last < first ? 0 : 1;
}
