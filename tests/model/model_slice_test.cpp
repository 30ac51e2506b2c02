#include "dualagent/model/model_slice.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/model/llama.hpp"
#include "support/catch.hpp"
#include "support/ragged_rows.hpp"

using namespace dualagent;

namespace {

TensorSlices slices_of(const ModelSlice& slice) {
  return {slice, tensors_of(slice.whole, llama(slice.whole)),
          tensors_of(slice.config(), llama(slice.config()))};
}

/// 1 layer, so that the offsets below can be counted: 2 heads of 2, 1 key-value head for both.
TransformerConfig counted() {
  return {.vocab_size = 3,
          .hidden_size = 2,
          .num_hidden_layers = 1,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .head_dim = 2,
          .intermediate_size = 3,
          .max_position_embeddings = 8,
          .tie_word_embeddings = true};
}

}  // namespace

TEST_CASE("a rank has the rows, columns or all of a tensor that its role says", "[model]") {
  const ModelSlice second{counted(), 1, 2};
  CHECK(second.config().num_attention_heads == 2);
  CHECK(second.config().num_key_value_heads == 1);
  CHECK(second.config().intermediate_size == 2);  // of 3: 1 and 2
  CHECK(second.config().vocab_size == 2);
  const TensorSlices slices = slices_of(second);
  std::vector<float> whole(slices.size()), mine(slices.own_size());
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<float>(i);
  slices.take<float>(whole, mine);
  const auto part = [&](std::size_t begin, std::size_t count) {
    return std::vector<float>(&mine[begin], &mine[begin] + count);
  };
  using Floats = std::vector<float>;
  CHECK(part(0, 4) == Floats{2, 3, 4, 5});                      // tokens 1 and 2
  CHECK(part(4, 2) == Floats{6, 7});                            // the input norm
  CHECK(part(6, 8) == Floats{16, 17, 18, 19, 20, 21, 22, 23});  // queries of heads 2 and 3
  CHECK(part(14, 4) == Floats{28, 29, 30, 31});                 // the second head's keys
  CHECK(part(18, 4) == Floats{36, 37, 38, 39});                 // and values
  // The output [2, 8] begins at 40: columns 4 to 7.
  CHECK(part(22, 8) == Floats{44, 45, 46, 47, 52, 53, 54, 55});
  CHECK(part(30, 2) == Floats{56, 57});                          // the other norm
  CHECK(part(32, 8) == Floats{60, 61, 62, 63, 66, 67, 68, 69});  // gate and up, neurons 1 and 2
  CHECK(part(40, 4) == Floats{71, 72, 74, 75});                  // down [2, 3]
  CHECK(part(44, 2) == Floats{76, 77});                          // the final norm
  CHECK(mine.size() == 46);
  CHECK(whole.size() == 78);
}

TEST_CASE("parts of all ranks make the whole again, bit by bit, each element once", "[model]") {
  TransformerConfig config = ragged_shape(false);
  config.qk_norm = config.qkv_bias = true;
  for (const std::size_t ranks : {1U, 2U, 3U, 5U}) {
    std::vector<float> whole(slices_of({config, 0, 1}).size());
    for (std::size_t i = 0; i < whole.size(); ++i)
      whole[i] = static_cast<float>(i) * (i % 2 == 0 ? 1.0F : -1.0F);
    whole[1] = -0.0F;
    std::vector<std::size_t> counted(whole.size(), 0);
    std::vector<AlignedVector<float>> gathered(ranks);
    run_ranks(ranks, [&](ThreadCollective axis) {
      const TensorSlices slices = slices_of({config, axis.rank(), ranks});
      std::vector<float> mine(slices.own_size());
      slices.take<float>(whole, mine);
      gathered[axis.rank()] = slices.gather(axis, std::span<const float>(mine));
    });
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const TensorSlices slices = slices_of({config, rank, ranks});
      for (const TensorSlices::Run& run : slices.runs())
        for (std::size_t i = 0; slices.counts(run) && i < run.size; ++i) ++counted[run.whole + i];
      CHECK(gathered[rank].size() == (rank == 0 ? whole.size() : 0));
    }
    CHECK(counted == std::vector<std::size_t>(whole.size(), 1));
    CHECK(std::memcmp(gathered[0].data(), whole.data(), whole.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("of ranks that have one part the first copy's counts and is gathered", "[model]") {
  const TransformerConfig config = ragged_shape(false);
  std::vector<float> whole(slices_of({config, 0, 1}).size());
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<float>(i);
  std::vector<AlignedVector<float>> gathered(4);
  std::vector<std::size_t> counted(whole.size(), 0);
  run_ranks(4, [&](ThreadCollective axis) {
    const TensorSlices slices = slices_of({config, axis.rank() % 2, 2, axis.rank() / 2, 2});
    std::vector<float> mine(slices.own_size());
    slices.take<float>(whole, mine);
    gathered[axis.rank()] = slices.gather(axis, std::span<const float>(mine));
  });
  for (std::size_t rank = 0; rank < 4; ++rank) {
    const TensorSlices slices = slices_of({config, rank % 2, 2, rank / 2, 2});
    CHECK((slices.parts() == 2 && slices.copies() == 2));
    for (const TensorSlices::Run& run : slices.runs())
      for (std::size_t i = 0; slices.counts(run) && i < run.size; ++i) ++counted[run.whole + i];
    CHECK(gathered[rank].size() == (rank == 0 ? whole.size() : 0));
  }
  CHECK(counted == std::vector<std::size_t>(whole.size(), 1));
  CHECK(std::ranges::equal(gathered[0], whole));
}

TEST_CASE("ranks that would have no neuron or no token are refused, those without heads are not",
          "[model]") {
  const auto with_ranks = [](std::size_t ranks) { return ModelSlice{counted(), 0, ranks}; };
  CHECK_NOTHROW(with_ranks(3).validate());
  CHECK(with_ranks(3).config().num_key_value_heads == 0);  // 2 of them on ranks 1 and 2
  CHECK_THROWS_WITH(with_ranks(4).validate(),
                    ContainsSubstring("intermediate_size is 3, which 4 ranks cannot share") &&
                        ContainsSubstring("Use at most 3 ranks"));
  TransformerConfig few = counted();
  few.vocab_size = 2;
  CHECK_THROWS_WITH((ModelSlice{few, 0, 3}.validate()), ContainsSubstring("vocab_size is 2"));
  few.hidden_size = 0;
  CHECK_THROWS_WITH((ModelSlice{few, 0, 1}.validate()), ContainsSubstring("hidden_size is 0"));
}
