// Products of the shapes that the transformer makes, one thread; prints GFLOP/s of processor time
// each. torch_gemm.py measures the largest ones. In bfloat16 the left operand is rounded, and a
// right one that is not a weight packed, each time. Options: --repeats N, --precision
// float32|bfloat16.

#include "bench.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/gemm_bfloat16.hpp"

namespace da = dualagent;

namespace {

struct Product {
  const char* name;
  std::size_t rows, columns, depth;
  bool transposed_left;  // as for gradients of weights
};

void measure(const Product& p, std::size_t repeats, da::Precision precision) {
  std::vector<float> a(p.rows * p.depth, 0.5F), b(p.depth * p.columns, 0.25F);
  std::vector<float> c(p.rows * p.columns, 0.0F);
  const auto right = da::dense<const float>(b.data(), p.depth, p.columns);
  const auto to = da::dense(c.data(), p.rows, p.columns);
  const bool rounds = precision == da::Precision::bfloat16;
  std::vector<da::Bfloat16Pair> memory(
      da::panels_size<da::Bfloat16Pair>(da::row_pairs(p.depth), p.columns));
  const auto weights = da::copy_to_pairs(right, memory.data());
  da::AlignedVector<float> scratch;
  const double seconds = bench::median_seconds(
      3, repeats,
      [&] {
        if (rounds && p.transposed_left)
          da::gemm_bfloat16<da::Store::accumulate>(
              da::transposed(
                  da::rounded_to_bfloat16(da::dense(a.data(), p.depth, p.rows), scratch)),
              right, to);
        else if (rounds)
          da::gemm(da::rounded_to_bfloat16(da::dense(a.data(), p.rows, p.depth), scratch), weights,
                   to);
        else if (p.transposed_left)
          da::gemm<da::Store::accumulate>(da::transposed(da::dense(a.data(), p.depth, p.rows)),
                                          right, to);
        else
          da::gemm(da::dense(a.data(), p.rows, p.depth), right, to);
      },
      bench::processor_seconds);
  const double flops = 2.0 * static_cast<double>(p.rows * p.columns * p.depth);
  bench::report(std::string("gemm_") + p.name, 1, flops / seconds * 1e-9, "GFLOP/s");
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const Product products[] = {
      {"tiny_qkv", 256, 384, 128, false},
      {"tiny_gate_up", 256, 704, 128, false},
      {"tiny_down", 256, 128, 352, false},
      {"tiny_head", 256, 512, 128, false},
      {"tiny_d_gate_up", 704, 128, 256, true},
      {"tiny_d_qkv", 384, 128, 256, true},
      {"tiny_d_down", 128, 352, 256, true},
      {"scores", 12, 256, 32, false},
      {"mix", 12, 32, 256, false},
      {"decode_gate_up_1", 1, 704, 128, false},
      {"decode_gate_up_64", 64, 704, 128, false},
      {"decode_down_64", 64, 128, 352, false},
      {"quick_gate_up", 256, 320, 64, false},
      {"quick_d_gate_up", 320, 64, 256, true},
      {"large", 512, 768, 768, false},
      {"smollm2_gate_up_64", 64, 3072, 576, false},
      {"smollm2_down_64", 64, 576, 1536, false},
      {"smollm2_gate_up_512", 512, 3072, 576, false},
      {"smollm2_d_gate_up_512", 3072, 576, 512, true},
  };
  for (const Product& product : products)
    measure(product, options.number("--repeats", 200), bench::precision_of(options));
}
