#include "dualagent/cpu/product.inl"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using namespace dualagent;
using cpu::Store;

namespace {

constexpr std::size_t kSlack = 3;  // elements beyond every row

/// One chain over k, as a machine with or without fused multiply-adds makes it.
template <class M, class T>
T chain(std::size_t depth, const T* a, const T* b, std::size_t next_b, T sum) {
  for (std::size_t k = 0; k < depth; ++k)
    sum = M::kFused ? std::fma(a[k], b[k * next_b], sum) : a[k] * b[k * next_b] + sum;
  return sum;
}

template <class T, Store mode>
T stored(T before, T sum) {
  return mode == Store::accumulate ? before + sum : sum;
}

/// Elements of a product on machine M that differ in a bit from chains, or lie beside C and have
/// changed.
template <class M, class T, Store mode>
std::size_t wrong(std::size_t rows, std::size_t columns, std::size_t depth) {
  const std::size_t ldb = columns + kSlack, ldc = columns + kSlack;
  const std::vector<T> a = normals<T>(rows * depth, 1), b = normals<T>(depth * ldb, 2);
  const std::vector<T> before = normals<T>(rows * ldc, 3);
  std::vector<T> c = before;
  cpu::detail::multiply_on<M, T, T>(mode, cpu::LeftOperand<T>(a.data(), rows, depth, depth, 1),
                                    cpu::RightOperand<T>{b.data(), ldb, kernels::kPanelLanes<T>},
                                    depth, false, kernels::Matrix<T>{c.data(), rows, columns, ldc});
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < ldc; ++j) {
      const T was = before[i * ldc + j];
      const T sum = j < columns ? chain<M>(depth, a.data() + i * depth, b.data() + j, ldb,
                                           mode == Store::extend ? was : T{0})
                                : T{0};
      count += c[i * ldc + j] != (j < columns ? stored<T, mode>(was, sum) : was);
    }
  return count;
}

/// The same of two heads, each with its own right operand, one behind the other.
template <class M, class T, Store mode>
std::size_t wrong_heads(std::size_t heads, std::size_t columns, std::size_t depth) {
  const std::vector<T> a = normals<T>(heads * depth, 1), b = normals<T>(heads * depth * columns, 2);
  const std::vector<T> before = normals<T>(heads * columns, 3);
  std::vector<T> c = before;
  cpu::detail::multiply_heads_on<M, T>(
      mode, kernels::dense<const T>(a.data(), heads, depth),
      cpu::RightOperand<T>{b.data(), columns, kernels::kPanelLanes<T>}, depth * columns,
      kernels::dense(c.data(), heads, columns));
  std::size_t count = 0;
  for (std::size_t i = 0; i < heads; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      count += c[i * columns + j] !=
               chain<M>(depth, a.data() + i * depth, b.data() + i * depth * columns + j, columns,
                        mode == Store::extend ? before[i * columns + j] : T{0});
  return count;
}

template <class M, class T>
void check_machine() {
  for (const std::size_t rows : {1U, 2U, 5U, 13U, 25U})
    for (const std::size_t columns : {1U, 7U, 16U, 40U, 70U})
      for (const std::size_t depth : {1U, 2U, 37U}) {
        INFO(M::kBytes << " bytes, " << rows << " x " << columns << " x " << depth);
        CHECK(wrong<M, T, Store::overwrite>(rows, columns, depth) == 0);
        CHECK(wrong<M, T, Store::accumulate>(rows, columns, depth) == 0);
        CHECK(wrong<M, T, Store::extend>(rows, columns, depth) == 0);
        CHECK(wrong_heads<M, T, Store::overwrite>(rows, columns, depth) == 0);
        CHECK(wrong_heads<M, T, Store::extend>(rows, columns, depth) == 0);
      }
}

/// Calls `body(machine)` for every machine that this processor is.
template <class Body>
void for_each_machine(Body&& body) {
  body(cpu::Compiled{});
#if defined(DUALAGENT_WIDER_MACHINES)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) body(cpu::Avx2{});
  if (__builtin_cpu_supports("avx512f")) body(cpu::Avx512{});
#endif
}

/// Random numbers that bfloat16 can hold, two in a pair.
std::vector<kernels::Bfloat16Pair> random_pairs(std::size_t count, std::uint64_t seed) {
  const std::vector<float> numbers = normals<float>(2 * count, seed);
  std::vector<kernels::Bfloat16Pair> pairs;
  for (std::size_t i = 0; i < count; ++i)
    pairs.push_back(kernels::bfloat16_pair(numbers[2 * i], numbers[2 * i + 1]));
  return pairs;
}

/// A product [rows, depth] [depth, columns] of bfloat16 pairs on machine M; rows of `a` are pairs.
template <class M>
std::vector<float> product_of_pairs(const std::vector<kernels::Bfloat16Pair>& a,
                                    const std::vector<kernels::Bfloat16Pair>& b, std::size_t rows,
                                    std::size_t columns, std::size_t depth) {
  std::vector<float> left, c(rows * columns, 7.0F);
  for (const kernels::Bfloat16Pair pair : a) {
    left.push_back(first_of(pair));
    left.push_back(second_of(pair));
  }
  const std::size_t pairs = (depth + 1) / 2;
  cpu::detail::multiply_on<M, float, kernels::Bfloat16Pair>(
      Store::overwrite, cpu::LeftOperand<float>(left.data(), rows, depth, 2 * pairs, 1),
      cpu::RightOperand<kernels::Bfloat16Pair>{b.data(), kernels::kPanelLanes<float>,
                                               pairs * kernels::kPanelLanes<float>},
      pairs, true, kernels::dense(c.data(), rows, columns));
  return c;
}

}  // namespace

TEMPLATE_TEST_CASE("products on every machine have the bits of chains of its multiply-adds",
                   "[cpu][product]", float, double) {
  for_each_machine([](auto machine) { check_machine<decltype(machine), TestType>(); });
}

TEST_CASE("copies of a transposed left operand change no bit on any machine", "[cpu][product]") {
  constexpr std::size_t kColumns = 37, kDepth = 21;
  for (const std::size_t rows : {1U, 12U, 50U, 111U}) {
    const std::vector<float> a = normals<float>(kDepth * rows, 1);
    const std::vector<float> b = normals<float>(kDepth * kColumns, 2);
    const cpu::LeftOperand<float> left(a.data(), rows, kDepth, 1, rows);
    const cpu::RightOperand<float> right{b.data(), kColumns, kernels::kPanelLanes<float>};
    for_each_machine([&](auto machine) {
      using M = decltype(machine);
      std::vector<float> strip(cpu::detail::strip_size<M>(left)), c(rows * kColumns), copied = c;
      cpu::detail::multiply_on<M, float, float>(Store::overwrite, left, right, kDepth, false,
                                                kernels::dense(c.data(), rows, kColumns));
      cpu::detail::multiply_on<M, float, float>(Store::overwrite, left, right, kDepth, false,
                                                kernels::dense(copied.data(), rows, kColumns),
                                                strip.data());
      INFO(M::kBytes << " bytes, " << rows << " rows");
      CHECK(copied == c);
    });
  }
}

TEST_CASE("the best machine of a program is no narrower than what it is compiled for",
          "[cpu][product]") {
  std::size_t calls = 0;
  cpu::with_machine([&](auto machine) {
    ++calls;
    CHECK(decltype(machine)::kBytes >= cpu::Compiled::kBytes);
    CHECK(decltype(machine)::kFused >= cpu::Compiled::kFused);
    CHECK(cpu::products_are_fused() == decltype(machine)::kFused);
  });
  CHECK(calls == 1);
}

TEST_CASE("numbers are rounded to the nearest bfloat16, ties to even", "[cpu][product]") {
  using kernels::rounded_to_bfloat16;
  CHECK(rounded_to_bfloat16(1.0F) == 1.0F);
  CHECK(rounded_to_bfloat16(1.0F + 0x1p-8F) == 1.0F);                // a tie, to the even one
  CHECK(rounded_to_bfloat16(1.0F + 3 * 0x1p-8F) == 1.0F + 0x1p-6F);  // and upwards
  CHECK(rounded_to_bfloat16(1.0F + 0x1.02p-8F) == 1.0F + 0x1p-7F);
  CHECK(rounded_to_bfloat16(-3.0e38F) == Approx(-3.0e38F).epsilon(0.004));
  CHECK(std::isinf(rounded_to_bfloat16(0x1.fffffep127F)));
  CHECK(std::isnan(rounded_to_bfloat16(std::nanf(""))));
  CHECK(std::isnan(rounded_to_bfloat16(std::bit_cast<float>(0x7F800001U))));
  std::vector<float> values = normals<float>(kernels::kLanes<float>, 4);
  values[0] = std::nanf(""), values[1] = INFINITY, values[2] = 1.0F + 0x1p-8F;
  const auto bits = kernels::bfloat16_bits(kernels::load<float>(values.data()));
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(bits[i] == kernels::bfloat16_bits(values[i]));
  const kernels::Bfloat16Pair pair = kernels::bfloat16_pair(2.0F, -0.5F);
  CHECK(pair.bits == 0xBF004000U);
  CHECK(first_of(pair) == 2.0F);
  CHECK(second_of(pair) == -0.5F);
}

TEST_CASE("products of bfloat16 take the second number of a pair first, on every machine",
          "[cpu][product]") {
  constexpr std::size_t kWidth = kernels::kPanelLanes<float>;
  for (const std::size_t rows : {1U, 3U, 12U, 26U})
    for (const std::size_t depth : {1U, 2U, 7U, 40U}) {
      const std::size_t pairs = (depth + 1) / 2, columns = 2 * kWidth - 3;
      auto a = random_pairs(rows * pairs, 5), b = random_pairs(2 * pairs * kWidth, 6);
      for_each_machine([&](auto machine) {
        using M = decltype(machine);
        const std::vector<float> c = product_of_pairs<M>(a, b, rows, columns, depth);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < columns; ++j) {
            float sum = 0;
            const auto add = [&](float x, float y) {
              sum = M::kFused ? std::fma(x, y, sum) : x * y + sum;
            };
            for (std::size_t p = 0; p < pairs; ++p) {
              const auto left = a[i * pairs + p];
              const auto right = b[j / kWidth * pairs * kWidth + p * kWidth + j % kWidth];
              if (2 * p + 1 < depth) add(second_of(left), second_of(right));
              add(first_of(left), first_of(right));
            }
            wrong += c[i * columns + j] != sum;
          }
        INFO(M::kBytes << " bytes, " << rows << " rows, depth " << depth);
        CHECK(wrong == 0);
      });
    }
}

#if defined(__AVX512BF16__)
TEST_CASE("products of bfloat16 have the bits of the instruction VDPBF16PS", "[cpu][product]") {
  constexpr std::size_t kColumns = kernels::kPanelLanes<float>, kPairs = 300;
  const auto a = random_pairs(kPairs, 7), b = random_pairs(kPairs * kColumns, 8);
  const std::vector<float> c = product_of_pairs<cpu::Compiled>(a, b, 1, kColumns, 2 * kPairs);
  __m512 sum = _mm512_setzero_ps();
  for (std::size_t p = 0; p < kPairs; ++p) {
    const __m512i left = _mm512_set1_epi32(static_cast<int>(a[p].bits));
    __m512i right;
    std::memcpy(&right, b.data() + p * kColumns, sizeof right);
    sum = _mm512_dpbf16_ps(sum, std::bit_cast<__m512bh>(left), std::bit_cast<__m512bh>(right));
  }
  CHECK(std::memcmp(&sum, c.data(), sizeof sum) == 0);
}
#endif
