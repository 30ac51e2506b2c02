// One supervised training step (forward, backward, AdamW); prints tokens per second,
// and on stderr processor time and the peak of resident memory.
// Options: --shape tiny|quickstart|smollm2, --layers N (the shape's), --rows N and --row-tokens N
// (the shape's), --precision float32|bfloat16 (of products), --rank N (of an adapter, which alone
// is trained; 0: all weights), --targets all|qv, --recompute never|large|always, --parts N,
// --threads N, --warm-up N, --repeats N.

#include "bench.hpp"
#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/report/memory.hpp"
#include "model_work.hpp"

namespace da = dualagent;

namespace {

da::PackedBatch random_batch(const bench::Shape& shape) {
  const da::RandomStream random = da::RandomStream::from_seed(1);
  da::PackedBatch batch;
  for (std::size_t r = 0; r < shape.row_sizes.size(); ++r) {
    std::vector<da::Token> row(shape.row_sizes[r]);
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = static_cast<da::Token>(random.child(r).below(i, shape.model.vocab_size));
    const std::size_t begin = batch.append_row(row);
    for (std::size_t i = 1; i < row.size(); ++i) batch.loss_weight[begin + i] = 1e-3F;
  }
  return batch;
}

bench::Shape chosen_shape(const bench::Options& options, const std::string& name) {
  bench::Shape shape = bench::shape_of(name);
  shape.model.num_hidden_layers = options.number("--layers", shape.model.num_hidden_layers);
  shape.row_sizes.resize(options.number("--rows", shape.row_sizes.size()), shape.row_sizes[0]);
  if (const std::size_t tokens = options.number("--row-tokens", 0))
    shape.row_sizes.assign(shape.row_sizes.size(), tokens);
  return shape;
}

da::LowRank chosen_change(const bench::Options& options) {
  da::LowRank change{.rank = options.number("--rank", 0), .seed = 1};
  if (options.text("--targets", "all") == "qv")
    change.targets = {da::TensorRole::query, da::TensorRole::value};
  return change;
}

/// Times steps of a model and prints what they took.
template <class Model>
void measure(const bench::Options& options, const std::string& name, Model& model,
             const da::PackedBatch& batch) {
  bench::TrainingStep step(model, batch, 1e-4);
  const double begin = bench::processor_seconds();
  const std::size_t warm_up = options.number("--warm-up", 3);
  const std::size_t repeats = options.number("--repeats", 30);
  const double seconds = bench::median_seconds(warm_up, repeats, [&] { step(); });
  const double processors = bench::processor_seconds() - begin;
  bench::report("train_" + name, options.number("--threads", 1),
                static_cast<double>(batch.size()) / seconds, "tokens/s");
  std::fprintf(stderr, "seconds of processors a step: %.2f\n",
               processors / static_cast<double>(warm_up + repeats));
  if (const auto bytes = da::peak_memory_bytes())
    std::fprintf(stderr, "peak memory: %.0f MiB\n", static_cast<double>(*bytes) / (1 << 20));
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::string name = options.text("--shape", "tiny");
  const bench::Shape shape = chosen_shape(options, name);
  da::Transformer<float> model(
      shape.model, {.pool = std::make_shared<da::ThreadPool>(options.number("--threads", 1)),
                    .gradient_parts = options.number("--parts", 2),
                    .recompute = bench::recompute_of(options),
                    .seed = 1,
                    .precision = bench::precision_of(options)});
  const da::PackedBatch batch = random_batch(shape);
  if (options.number("--rank", 0) == 0) return measure(options, name, model, batch), 0;
  da::AdaptedTransformer<float> adapted(model, chosen_change(options));
  measure(options, name, adapted, batch);
}
