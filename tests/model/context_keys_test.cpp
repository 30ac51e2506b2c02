#include "dualagent/model/context_keys.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/model/transformer_config.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// One query head of width 2 and one key-value head: rows are q q k k v v.
detail::HeadLayout one_head() {
  return detail::HeadLayout(
      TransformerConfig{.num_attention_heads = 1, .num_key_value_heads = 1, .head_dim = 2});
}

/// The other rank's part of four tokens is known: what it would bring to a sum.
struct OtherRank {
  std::vector<double> brings;  // [4, 4]
  mutable int sums = 0;
  void sum_over_context(Matrix<double> all) const {
    ++sums;
    for (std::size_t i = 0; i < brings.size(); ++i) all.data[i] += brings[i];
  }
};

const std::vector<double> kOwn{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -0.0};  // rows of tokens 0 and 3
const std::vector<std::size_t> kPlaces{0, 3};

}  // namespace

TEST_CASE("keys and values of all tokens stand in their order, with their bits", "[model]") {
  constexpr double kNothing = -0.0;
  const OtherRank other{{kNothing, kNothing, kNothing, kNothing, 30, 31, 32, 33, 40, 41, 42, 43,
                         kNothing, kNothing, kNothing, kNothing}};
  detail::ContextKeys<double> keys;
  const auto gather = [&](std::size_t layer) {
    return keys.gather(other, one_head(), layer, kPlaces, 4, dense(kOwn.data(), 2, 6));
  };
  const Matrix<const double> all = gather(5);
  REQUIRE((all.rows == 4 && all.columns == 4));
  CHECK(std::vector<double>(all.data, all.data + 16) ==
        std::vector<double>{3, 4, 5, 6, 30, 31, 32, 33, 40, 41, 42, 43, 9, 10, 11, 0});
  CHECK(std::signbit(all.row(3)[3]));
  gather(5);
  CHECK(other.sums == 1);  // they are there
  gather(4);
  CHECK(other.sums == 2);
  keys.forget();
  gather(4);
  CHECK(other.sums == 3);
}

TEST_CASE("gradients of keys and values are summed and go to the rows that they came from",
          "[model]") {
  OtherRank other{std::vector<double>(16, 0.5)};
  detail::ContextKeys<double> keys;
  const Matrix<double> mine = keys.gradients(one_head(), 4);
  for (std::size_t i = 0; i < 16; ++i) {
    REQUIRE(mine.data[i] == 0);
    mine.data[i] = static_cast<double>(i);
  }
  std::vector<double> d_qkv(12, -1.0);
  keys.return_gradients(other, one_head(), kPlaces, mine, dense(d_qkv.data(), 2, 6));
  CHECK(d_qkv == std::vector<double>{-1, -1, 0.5, 1.5, 2.5, 3.5, -1, -1, 12.5, 13.5, 14.5, 15.5});
  CHECK(keys.gradients(one_head(), 4).data[7] == 0);  // of the next layer
}
