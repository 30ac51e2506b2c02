#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "options.hpp"

/// Shapes and timing that the benchmarks share; shapes.py holds the same shapes.
namespace bench {

struct Shape {
  dualagent::TransformerConfig model;
  std::vector<std::size_t> row_sizes;  // of one training batch
};

/// "tiny": 4 layers, width 128, 4 rows of 256 tokens. "quickstart": 3 layers, width 64, 32 ragged
/// rows of 80 to 111 tokens. "smollm2": that of SmolLM2-135M, one row of 4,096 tokens; not in
/// shapes.py.
inline Shape shape_of(const std::string& name) {
  Shape shape;
  shape.model.max_position_embeddings = 256;
  shape.model.num_attention_heads = shape.model.num_key_value_heads = 4;
  if (name == "tiny") {
    shape.model.vocab_size = 512;
    shape.model.hidden_size = 128;
    shape.model.num_hidden_layers = 4;
    shape.model.head_dim = 32;
    shape.model.intermediate_size = 352;
    shape.row_sizes.assign(4, 256);
  } else if (name == "quickstart") {
    shape.model.vocab_size = 79;
    shape.model.hidden_size = 64;
    shape.model.num_hidden_layers = 3;
    shape.model.head_dim = 16;
    shape.model.intermediate_size = 160;
    for (std::size_t row = 0; row < 32; ++row) shape.row_sizes.push_back(80 + row * 7 % 32);
  } else if (name == "smollm2") {
    shape.model = {.vocab_size = 49152,
                   .hidden_size = 576,
                   .num_hidden_layers = 30,
                   .num_attention_heads = 9,
                   .num_key_value_heads = 3,
                   .head_dim = 64,
                   .intermediate_size = 1536,
                   .max_position_embeddings = 8192,
                   .tie_word_embeddings = true};
    shape.row_sizes.assign(1, 4096);
  } else {
    std::fprintf(stderr, "--shape is tiny, quickstart or smollm2, not %s\n", name.c_str());
    std::exit(2);
  }
  return shape;
}

/// --precision float32|bfloat16.
inline dualagent::Precision precision_of(const Options& options) {
  const std::string name = options.text("--precision", "float32");
  if (name == "float32") return dualagent::Precision::of_parameters;
  if (name == "bfloat16") return dualagent::Precision::bfloat16;
  std::fprintf(stderr, "--precision is float32 or bfloat16, not %s\n", name.c_str());
  std::exit(2);
}

/// Of --recompute; exits with a sentence on any other word.
inline dualagent::Recompute recompute_of(const Options& options) {
  const std::string name = options.text("--recompute", "large");
  if (name == "never") return dualagent::Recompute::never;
  if (name == "always") return dualagent::Recompute::always;
  if (name == "large") return dualagent::Recompute::large;
  std::fprintf(stderr, "--recompute %s: it takes never, large or always\n", name.c_str());
  std::exit(2);
}

/// Seconds by the clock.
inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
/// Seconds that this process had a processor: other programs on the machine do not count.
inline double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// Seconds of one call: the median of `repeats` calls after `warm_up` unmeasured ones.
inline double median_seconds(std::size_t warm_up, std::size_t repeats,
                             const std::function<void()>& body, double (*now)() = wall_seconds) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < warm_up + repeats; ++i) {
    const double begin = now();
    body();
    if (i >= warm_up) seconds.push_back(now() - begin);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

/// One JSON line in the form that run.sh reads.
inline void report(const std::string& benchmark, std::size_t threads, double value,
                   const char* unit) {
  std::printf(
      "{\"benchmark\": \"%s\", \"side\": \"ours\", \"threads\": %zu, \"value\": %.1f, "
      "\"unit\": \"%s\"}\n",
      benchmark.c_str(), threads, value, unit);
}

}  // namespace bench
