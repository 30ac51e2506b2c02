// Greedy decoding: prompts of 16 tokens, 128 new tokens each; prints new tokens per
// second. Options: --shape tiny|quickstart, --sequences N, --threads N, --repeats N,
// --precision float32|bfloat16 (of products).

#include "bench.hpp"
#include "model_work.hpp"

namespace da = dualagent;

int main(int argc, char** argv) {
  constexpr std::size_t kPrompt = 16;
  constexpr std::size_t kNew = 128;
  const bench::Options options(argc, argv);
  const std::string name = options.text("--shape", "tiny");
  const std::size_t threads = options.number("--threads", 1);
  const std::size_t sequences = options.number("--sequences", 64);
  const bench::Shape shape = bench::shape_of(name);
  da::Transformer<float> model(shape.model, {.pool = std::make_shared<da::ThreadPool>(threads),
                                             .precision = bench::precision_of(options)});
  std::vector<std::vector<da::Token>> prompts(sequences);
  for (std::size_t s = 0; s < sequences; ++s)
    for (std::size_t i = 0; i < kPrompt; ++i)
      prompts[s].push_back(static_cast<da::Token>(
          da::RandomStream::from_seed(2).child(s).below(i, shape.model.vocab_size)));
  const double seconds = bench::median_seconds(1, options.number("--repeats", 5),
                                               [&] { bench::decode(model, prompts, kNew); });
  bench::report("decode_" + name + "_" + std::to_string(sequences), threads,
                static_cast<double>(sequences * kNew) / seconds, "tokens/s");
}
