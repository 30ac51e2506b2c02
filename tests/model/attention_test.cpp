#include "dualagent/model/attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dualagent/core/random.hpp"
#include "support/catch.hpp"
#include "support/normals.hpp"
#include "support/reference_transformer.hpp"

using namespace dualagent;

namespace {

/// Six query heads of an odd width share two key-value heads.
detail::HeadLayout six_heads() {
  return detail::HeadLayout(
      TransformerConfig{.num_attention_heads = 6, .num_key_value_heads = 2, .head_dim = 5});
}

std::vector<double> obvious(const std::vector<double>& qkv, std::size_t positions) {
  const EigenMap<const double> all(qkv.data(), static_cast<Eigen::Index>(positions), 50);
  std::vector<double> out(positions * 30);
  EigenMap<double>(out.data(), all.rows(), 30) =
      reference_attention(all.leftCols(30), all.middleCols(30, 10), all.rightCols(10), 5);
  return out;
}

template <class T>
std::vector<T> attend(const std::vector<T>& qkv, std::size_t positions) {
  detail::AttentionScratch<T> scratch;
  std::vector<T> out(positions * 30);
  detail::attend_sequence<T>(six_heads(), dense(qkv.data(), positions, 50), scratch,
                             dense(out.data(), positions, 30));
  return out;
}

template <class T>
std::vector<T> backward(const std::vector<T>& qkv, const std::vector<T>& d_out,
                        std::size_t positions, detail::AttentionScratch<T>& scratch) {
  std::vector<T> d_qkv(qkv.size(), T{0});
  detail::attend_sequence_backward<T>(six_heads(), dense(qkv.data(), positions, 50),
                                      dense(d_out.data(), positions, 30), scratch,
                                      dense(d_qkv.data(), positions, 50));
  return d_qkv;
}

template <class A, class B>
double worst(const A& a, const B& b) {
  double most = 0;
  for (std::size_t i = 0; i < b.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return most;
}

}  // namespace

TEST_CASE("attention equals its formula", "[model][attention]") {
  for (const std::size_t positions : {1U, 2U, 12U, 13U, 48U, 49U, 70U}) {
    INFO(positions << " positions");
    const auto qkv = normals<double>(positions * 50, 3);
    const std::vector<double> expected = obvious(qkv, positions);
    CHECK(worst(attend(qkv, positions), expected) < 1e-13);
    const std::vector<float> rounded(qkv.begin(), qkv.end());
    CHECK(worst(attend(rounded, positions), expected) < 3e-6);
  }
}

TEST_CASE("gradients of attention equal central differences", "[model][attention]") {
  for (const std::size_t positions : {1U, 13U, 61U}) {  // 61: two blocks of queries
    INFO(positions << " positions");
    const auto qkv = normals<double>(positions * 50, 4);
    const auto d_out = normals<double>(positions * 30, 5);
    const auto loss = [&](const std::vector<double>& at) {
      const std::vector<double> out = obvious(at, positions);
      double sum = 0;
      for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * d_out[i];
      return sum;
    };
    detail::AttentionScratch<double> scratch;
    const std::vector<double> got = backward(qkv, d_out, positions, scratch);
    constexpr double kStep = 1e-5;
    double most = 0;
    for (std::size_t i = 0; i<qkv.size(); i += positions> 13 ? 7 : 1) {
      std::vector<double> moved = qkv;
      moved[i] = qkv[i] + kStep;
      const double above = loss(moved);
      moved[i] = qkv[i] - kStep;
      most = std::max(most, std::abs(got[i] - (above - loss(moved)) / (2 * kStep)));
    }
    CHECK(most < 1e-7);
    const std::vector<float> rounded(qkv.begin(), qkv.end());
    const std::vector<float> d_rounded(d_out.begin(), d_out.end());
    detail::AttentionScratch<float> small;
    CHECK(worst(backward(rounded, d_rounded, positions, small), got) < 3e-5);
  }
}

TEST_CASE("pieces of a sequence have the bits of the whole, and their gradients add up to its own",
          "[model][attention]") {
  constexpr std::size_t kPositions = 70;
  const auto qkv = normals<double>(kPositions * 50, 9);
  const auto d_out = normals<double>(kPositions * 30, 10);
  const std::vector<double> whole = attend(qkv, kPositions);
  detail::AttentionScratch<double> scratch;
  const std::vector<double> d_whole = backward(qkv, d_out, kPositions, scratch);
  std::vector<double> d_sum(kPositions * 50, 0.0);
  const std::vector<std::vector<Shard>> parts{{{0, 5}, {53, 70}}, {{5, 5}, {5, 53}}};
  for (const std::vector<Shard>& pieces : parts) {
    std::vector<double> rows, d_rows, expected;
    const auto append = [](std::vector<double>& to, const std::vector<double>& from,
                           const Shard& piece, std::size_t width) {
      const auto begin = from.begin();
      to.insert(to.end(), begin + static_cast<std::ptrdiff_t>(piece.begin * width),
                begin + static_cast<std::ptrdiff_t>(piece.end * width));
    };
    for (const Shard& piece : pieces) {
      append(rows, qkv, piece, 50), append(d_rows, d_out, piece, 30);
      append(expected, whole, piece, 30);
    }
    const std::size_t count = rows.size() / 50;
    const detail::SequenceRows<double> sequence{
        pieces, dense<const double>(rows.data(), count, 50),
        six_heads().keys_and_values(dense<const double>(qkv.data(), kPositions, 50))};
    std::vector<double> out(count * 30), d_qkv(rows.size(), 0.0);
    detail::attend_rows<double>(six_heads(), sequence, scratch, dense(out.data(), count, 30));
    CHECK(out == expected);
    detail::attend_rows_backward<double>(
        six_heads(), sequence, dense<const double>(d_rows.data(), count, 30), scratch,
        dense(d_qkv.data(), count, 50),
        six_heads().keys_and_values(dense(d_sum.data(), kPositions, 50)));
    sequence.for_each_piece([&](const Shard& piece, std::size_t row) {
      for (std::size_t i = 0; i < piece.size(); ++i)
        std::copy_n(&d_qkv[(row + i) * 50], 30, &d_sum[(piece.begin + i) * 50]);
    });
  }
  CHECK(worst(d_sum, d_whole) < 1e-14);
}

TEST_CASE("a longer sequence leaves the bits of its beginning", "[model][attention]") {
  const auto qkv = normals<float>(70 * 50, 6);
  const std::vector<float> whole = attend(qkv, 70);
  for (const std::size_t positions : {1U, 5U, 16U, 33U, 69U}) {
    const std::vector<float> part = attend(
        std::vector<float>(qkv.begin(), qkv.begin() + static_cast<std::ptrdiff_t>(positions * 50)),
        positions);
    CHECK(std::equal(part.begin(), part.end(), whole.begin()));
  }
}

TEST_CASE("attention's memory grows with the positions, not with their square",
          "[model][attention]") {
  const auto elements = [](std::size_t positions) {
    const auto qkv = normals<float>(positions * 50, 7);
    const auto d_out = normals<float>(positions * 30, 8);
    detail::AttentionScratch<float> scratch;
    backward(qkv, d_out, positions, scratch);
    return scratch.p.size() + scratch.d_p.size() + scratch.keys.size() + scratch.values.size() +
           scratch.d_keys.size() + scratch.d_values.size();
  };
  CHECK(elements(512) == 4 * elements(128));
}
