#include "dualagent/model/kv_cache.hpp"

#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;
using detail::CachedSequence;
using detail::KeyValueCache;

namespace {

/// Two layers, three key-value heads of width 2.
TransformerConfig shape() {
  return {.num_hidden_layers = 2, .num_key_value_heads = 3, .head_dim = 2};
}

constexpr std::size_t kBlock = KeyValueCache<float>::kPositions;

/// What a test writes for a layer, position, head and column; values are the negative.
float number(std::size_t layer, std::size_t position, std::size_t head, std::size_t c) {
  return static_cast<float>(1 + 10000 * layer + 10 * position + 2 * head + c);
}

/// Computes the positions up to `positions`, with token `salt` + position each.
void fill(CachedSequence<float>& sequence, std::size_t positions, Token salt = 0) {
  const std::size_t first = sequence.size();
  sequence.reserve(positions);
  for (std::size_t position = first; position < positions; ++position) {
    for (std::size_t layer = 0; layer < 2; ++layer) {
      std::vector<float> keys, values;
      for (std::size_t head = 0; head < 3; ++head)
        for (std::size_t c = 0; c < 2; ++c) {
          keys.push_back(number(layer, position, head, c) + static_cast<float>(salt));
          values.push_back(-keys.back());
        }
      sequence.write(layer, position, keys.data(), values.data());
    }
    sequence.append(static_cast<Token>(position) + salt);
  }
}

/// Numbers of the positions [first, last) that are not what `fill` wrote.
std::size_t wrong(const CachedSequence<float>& sequence, std::size_t first, std::size_t last,
                  Token salt = 0) {
  constexpr std::size_t lanes = kernels::kPanelLanes<float>;
  std::size_t count = 0;
  for (std::size_t layer = 0; layer < 2; ++layer)
    for (std::size_t head = 0; head < 3; ++head)
      for (std::size_t position = first; position < last; ++position)
        for (std::size_t c = 0; c < 2; ++c) {
          const auto parts = sequence.head(layer, head);
          const Panels<float> keys = parts.keys(position / kBlock);
          const std::size_t at = position % kBlock;
          const float key = keys.data[at / lanes * keys.stride + c * lanes + at % lanes];
          const float value = parts.values(position / kBlock).row(at)[c];
          const float expected = number(layer, position, head, c) + static_cast<float>(salt);
          count += key != expected;
          count += value != -expected;
        }
  return count;
}

}  // namespace

TEST_CASE("a sequence's keys and values are found in its blocks", "[model][cache]") {
  KeyValueCache<float> cache(shape());
  CachedSequence<float> sequence(cache, 1000);
  fill(sequence, 3 * kBlock + 5);
  CHECK(sequence.size() == 3 * kBlock + 5);
  CHECK(wrong(sequence, 0, 3 * kBlock + 5) == 0);
  const auto first = sequence.head(1, 0);
  CHECK(first.keys(0).data + 2 * first.next_key_head() == sequence.head(1, 2).keys(0).data);
  CHECK(first.values(0).data + 2 * first.next_value_head() == sequence.head(1, 2).values(0).data);
}

TEST_CASE("blocks are taken for the tokens in use and used again", "[model][cache]") {
  KeyValueCache<float> cache(shape());
  CHECK(cache.bytes_per_token() == 2 * 2 * 3 * 2 * sizeof(float));
  {
    CachedSequence<float> sequence(cache, 100000);  // room that nobody uses costs no block
    CHECK(cache.blocks_in_use() == 0);
    fill(sequence, 1);
    CHECK(cache.blocks_in_use() == 1);
    fill(sequence, kBlock);
    CHECK(cache.blocks_in_use() == 1);
    fill(sequence, kBlock + 1);
    CHECK(cache.blocks_in_use() == 2);
    fill(sequence, 5 * kBlock);
    CHECK(cache.blocks_in_use() == 5);
    sequence.cut(kBlock + 1);
    CHECK(cache.blocks_in_use() == 2);
    CHECK(wrong(sequence, 0, kBlock + 1) == 0);
    fill(sequence, 2 * kBlock + 1);
    CHECK(wrong(sequence, 0, 2 * kBlock + 1) == 0);
  }
  CHECK(cache.blocks_in_use() == 0);
  CachedSequence<float> one(cache, 1000), two(cache, 1000);
  fill(one, 2 * kBlock);
  fill(two, 3 * kBlock);
  CHECK(cache.blocks_allocated() == 5);
}

TEST_CASE("sequences that begin alike hold the same blocks until one of them writes",
          "[model][cache]") {
  KeyValueCache<float> cache(shape());
  CachedSequence<float> one(cache, 1000), two(cache, 1000);
  fill(one, 2 * kBlock + 10);
  two.share_prefix(one, kBlock + 7);
  CHECK(two.size() == kBlock + 7);
  CHECK(cache.blocks_in_use() == 3);
  CHECK(wrong(two, 0, kBlock + 7) == 0);

  fill(two, kBlock + 9, 5);  // writes in the block that it shares: a copy
  CHECK(cache.blocks_in_use() == 4);
  CHECK(wrong(two, 0, kBlock + 7) == 0);
  CHECK(wrong(two, kBlock + 7, kBlock + 9, 5) == 0);
  CHECK(wrong(one, 0, 2 * kBlock + 10) == 0);

  fill(two, 3 * kBlock, 5);  // the copy is its own: no other
  CHECK(cache.blocks_in_use() == 5);
  one.cut(0);
  CHECK(cache.blocks_in_use() == 3);  // the first block is held by the other one
  CHECK(wrong(two, 0, kBlock + 7) == 0);
  two.cut(0);
  CHECK(cache.blocks_in_use() == 0);
}

TEST_CASE("who computed a shared block and writes on takes a copy, too", "[model][cache]") {
  KeyValueCache<float> cache(shape());
  CachedSequence<float> one(cache, 1000), two(cache, 1000), three(cache, 1000);
  fill(one, 10);
  two.share_prefix(one, 10);
  three.share_prefix(one, 8);
  CHECK(cache.blocks_in_use() == 1);
  fill(one, 12, 7);
  CHECK(cache.blocks_in_use() == 2);
  fill(three, 12, 9);
  CHECK(cache.blocks_in_use() == 3);
  fill(two, 12, 11);  // the last holder needs none
  CHECK(cache.blocks_in_use() == 3);
  CHECK(wrong(one, 0, 10) + wrong(one, 10, 12, 7) == 0);
  CHECK(wrong(two, 0, 10) + wrong(two, 10, 12, 11) == 0);
  CHECK(wrong(three, 0, 8) + wrong(three, 8, 12, 9) == 0);

  three.share_prefix(two, 12);  // a sequence's own blocks are let go of
  CHECK(cache.blocks_in_use() == 2);
}

TEST_CASE("a sequence knows how far a context begins like it", "[model][cache]") {
  KeyValueCache<float> cache(shape());
  CachedSequence<float> sequence(cache, 1000);
  CHECK(sequence.common_prefix(std::vector<Token>{0, 1}) == 0);
  fill(sequence, kBlock + 3);  // tokens 0, 1, 2, ..
  std::vector<Token> context(2 * kBlock);
  std::iota(context.begin(), context.end(), 0);
  CHECK(sequence.common_prefix(context) == kBlock + 3);
  CHECK(sequence.common_prefix(std::span(context).first(10)) == 10);
  context[kBlock] = -1;
  CHECK(sequence.common_prefix(context) == kBlock);
  CachedSequence<float> other(cache, 1000);
  other.share_prefix(sequence, 5);
  fill(other, 9, 100);
  context = {0, 1, 2, 3, 4, 105, 106, 107, 108, 109};
  CHECK(other.common_prefix(context) == 9);
  CHECK(sequence.common_prefix(context) == 5);
}
