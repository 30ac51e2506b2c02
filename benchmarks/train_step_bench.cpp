// One supervised training step (forward, backward, AdamW); prints tokens per second,
// and on stderr processor time and the peak of resident memory.
// Options: --shape tiny|quickstart|smollm2, --layers N (the shape's), --threads N, --warm-up N,
// --repeats N, --rows N and --row-tokens N (instead of the shape's), --precision float32|bfloat16
// (of products).

#include <numeric>

#include "bench.hpp"
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

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::string name = options.text("--shape", "tiny");
  const std::size_t threads = options.number("--threads", 1);
  bench::Shape shape = bench::shape_of(name);
  shape.model.num_hidden_layers = options.number("--layers", shape.model.num_hidden_layers);
  if (const std::size_t rows = options.number("--rows", 0))
    shape.row_sizes.assign(rows, options.number("--row-tokens", 512));
  da::Transformer<float> model(shape.model, {.pool = std::make_shared<da::ThreadPool>(threads),
                                             .gradient_shards = 2,
                                             .seed = 1,
                                             .precision = bench::precision_of(options)});
  const da::PackedBatch batch = random_batch(shape);
  bench::TrainingStep step(model, batch, 1e-4);
  const std::size_t warm_up = options.number("--warm-up", 3);
  double processors = 0;  // seconds of the last step on all threads
  const double seconds = bench::median_seconds(warm_up, options.number("--repeats", 30), [&] {
    const double begin = bench::processor_seconds();
    step();
    processors = bench::processor_seconds() - begin;
  });
  bench::report("train_" + name, threads, static_cast<double>(batch.size()) / seconds, "tokens/s");
  std::fprintf(stderr, "last step: %.2f s of processors\n", processors);
  if (const auto bytes = da::peak_memory_bytes())
    std::fprintf(stderr, "peak memory: %.0f MiB\n", static_cast<double>(*bytes) / (1 << 20));
}
