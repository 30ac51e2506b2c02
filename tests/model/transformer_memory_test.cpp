// What the transformer allocates, and when.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "laws/backend_laws.hpp"
#include "support/catch.hpp"
#include "support/odd_shape.hpp"
#include "support/ragged_rows.hpp"
#include "support/sanitizers.hpp"

// ThreadSanitizer's runtime brings operators of its own, which cannot be replaced beside clang's.
#if !DUALAGENT_UNDER_THREAD_SANITIZER

using namespace dualagent;

// Every allocation of this executable is counted.
namespace {
std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> aligned_bytes{0};  // of AlignedVector
void* counted(std::size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size > 0 ? size : 1);
}
void* counted_or_throw(std::size_t size) {
  void* const memory = counted(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace
void* operator new(std::size_t size) { return counted_or_throw(size); }
void* operator new[](std::size_t size) { return counted_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto bytes = static_cast<std::size_t>(alignment);
  allocations.fetch_add(1, std::memory_order_relaxed);
  aligned_bytes.fetch_add(size, std::memory_order_relaxed);
  void* const memory = std::aligned_alloc(bytes, (size + bytes - 1) / bytes * bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace {

Transformer<float> make_model(std::size_t threads) {
  return Transformer<float>(odd_shape(),
                            {.pool = std::make_shared<ThreadPool>(threads), .seed = 3});
}

/// Twelve requests of one context.
void submit_all(Transformer<float>& model, std::span<const Token> context, const StopRule& stop) {
  for (SequenceId s = 0; s < 12; ++s)
    model.submit({.sequence = s,
                  .context = context,
                  .agent = AgentRole::answerer,
                  .sampling = {},
                  .stop = &stop,
                  .random = RandomStream::from_seed(s)});
}

StopRule tokens(std::size_t count) {
  return {.stop_tokens = {}, .max_new_tokens = count, .stop_early = {}};
}

}  // namespace

TEST_CASE("decoding a token allocates nothing but blocks for keys and values", "[model][decode]") {
  for (const std::size_t threads : {1U, 2U}) {
    auto model = make_model(threads);
    const StopRule stop = tokens(100);
    const std::vector<Token> context{5, 1, 4, 1, 5, 9, 2, 6};
    submit_all(model, context, stop);  // takes the blocks that are used again below
    for (int i = 0; i < 95; ++i) model.advance([](Generation&&) {});
    model.reset();
    submit_all(model, context, stop);
    std::size_t finished = 0;
    const auto count = [&](Generation&&) { ++finished; };
    for (int i = 0; i < 3; ++i) model.advance(count);  // prompts, one after another's prefix
    const std::size_t before = allocations;
    for (int i = 0; i < 90; ++i) model.advance(count);
    const std::size_t made = allocations - before;
    INFO(threads << " threads");
    CHECK(made == 0);
    CHECK(finished == 0);
  }
}

TEST_CASE("keys and values take the memory of the tokens in use", "[model][decode]") {
  TransformerConfig roomy = odd_shape();
  roomy.max_position_embeddings = 1U << 16U;
  Transformer<float> model(roomy);
  const StopRule stop = tokens(30);
  const std::vector<Token> context{5, 1, 4, 1, 5, 9, 2, 6};
  const std::size_t before = aligned_bytes;
  submit_all(model, context, stop);
  while (model.advance([](Generation&&) {}) > 0) {
  }
  // 3 layers of 2 keys and 2 values of width 6: for all 2^16 positions 18 MiB each.
  const std::size_t bytes_per_token = 3 * 2 * 2 * 6 * sizeof(float);
  const std::size_t taken = aligned_bytes - before;
  CHECK(taken > 12 * 37 * bytes_per_token);
  CHECK(taken < (1U << 16U) * bytes_per_token / 10);
}

TEST_CASE("recomputation keeps the inputs of layers, and one layer", "[model][transformer]") {
  TransformerConfig config = odd_shape();
  config.num_hidden_layers = 12;
  std::vector<float> gradients[2];
  std::size_t taken[2];
  for (const bool again : {false, true}) {
    Transformer<float> model(
        config, {.recompute = again ? Recompute::always : Recompute::never, .seed = 3});
    PackedBatch batch;
    for (std::size_t r = 0; r < 9; ++r) batch.append_row(std::vector<Token>(20 + 15 * r, 3));
    for (std::size_t t = 0; t < batch.size(); ++t) batch.loss_weight[t] = 1.0F;
    for (std::size_t r = 0; r < 9; ++r) batch.loss_weight[batch.row_begin[r]] = 0.0F;
    TokenOutputs outputs = laws::outputs_for(batch);
    const std::size_t before = aligned_bytes;
    model.zero_gradients();
    model.backward(batch, curved_loss, outputs);
    taken[again] = aligned_bytes - before;
    gradients[again].assign(model.gradients().begin(), model.gradients().end());
  }
  CHECK(gradients[0] == gradients[1]);
  // Of a row and layer: 5 of width 22, q, k, v of 60, 36 of attention, 3 of 27; then its input
  // alone.
  CHECK(taken[1] < taken[0] / 2);
}

TEST_CASE("training and scoring allocate nothing after the first batch of a size",
          "[model][transformer]") {
  for (const std::size_t threads : {1U, 2U}) {
    auto model = make_model(threads);
    PackedBatch batch;
    for (std::size_t r = 0; r < 9; ++r) batch.append_row(std::vector<Token>(20 + 15 * r, 3));
    for (std::size_t t = 0; t < batch.size(); ++t) batch.loss_weight[t] = 1.0F;
    for (std::size_t r = 0; r < 9; ++r) batch.loss_weight[batch.row_begin[r]] = 0.0F;
    TokenOutputs outputs = laws::outputs_for(batch);
    const auto loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction& now) {
      return TokenLossGradient{-now.log_prob, -1.0, 0.0};
    };
    model.backward(batch, loss, outputs);
    const std::size_t before = allocations;
    for (int i = 0; i < 3; ++i) {
      model.zero_gradients();
      model.backward(batch, loss, outputs);
      model.weights_changed();
      model.score(batch, outputs);
    }
    const std::size_t made = allocations - before;
    INFO(threads << " threads");
    CHECK(made == 0);
  }
}

#endif
