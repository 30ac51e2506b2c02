#include "dualagent/model/low_rank.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

using Product = detail::LowRankProduct<double>;

// Outputs 2 to 6 and 9 to 19 of a product with 21 have a projection each.
constexpr std::size_t kRows = 5, kIn = 11, kOut = 21, kRank = 3;
constexpr std::size_t kA = 4, kB0 = kA + 2 * kRank * kIn + 1, kB1 = kB0 + 5 * kRank,
                      kParameters = kB1 + 11 * kRank;
constexpr double kScale = 0.75;

Product without_panels() { return {kIn, kRank, kScale, kA, {{2, 5, kB0}, {9, 11, kB1}}}; }

Product make(const std::vector<double>& parameters) {
  Product product = without_panels();
  product.refresh(parameters.data());
  return product;
}

/// sum_ro dy[r, o] (scale x A^T B^T)[r, o], in plain loops.
double weighted_sum(const std::vector<double>& parameters, const std::vector<double>& x,
                    const std::vector<double>& dy) {
  double sum = 0;
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t o = 0; o < kOut; ++o) {
      const bool first = o >= 2 && o < 7, second = o >= 9 && o < 20;
      if (!first && !second) continue;
      const std::size_t a = first ? kA : kA + kRank * kIn;
      const std::size_t b = first ? kB0 + (o - 2) * kRank : kB1 + (o - 9) * kRank;
      for (std::size_t k = 0; k < kRank; ++k)
        for (std::size_t i = 0; i < kIn; ++i)
          sum += dy[r * kOut + o] * kScale * x[r * kIn + i] * parameters[a + k * kIn + i] *
                 parameters[b + k];
    }
  return sum;
}

}  // namespace

TEST_CASE("an adapter adds to the outputs of its projections", "[model][lora]") {
  const auto parameters = normals<double>(kParameters, 1), x = normals<double>(kRows * kIn, 2);
  const Product product = make(parameters);
  std::vector<double> y(kRows * kOut, 3.0);
  AlignedVector<double> reduced;
  product.forward(parameters.data(), dense(x.data(), kRows, kIn), dense(y.data(), kRows, kOut),
                  reduced);
  for (std::size_t i = 0; i < y.size(); ++i) {
    std::vector<double> one(y.size(), 0.0);
    one[i] = 1.0;
    CHECK(y[i] == Approx(3.0 + weighted_sum(parameters, x, one)).margin(1e-12));
  }
}

TEST_CASE("a row of an adapter has the same bits alone", "[model][lora]") {
  const auto parameters = normals<double>(kParameters, 1), x = normals<double>(kRows * kIn, 2);
  const Product product = make(parameters);
  std::vector<double> y(kRows * kOut, 0.1);
  AlignedVector<double> reduced;
  product.forward(parameters.data(), dense(x.data(), kRows, kIn), dense(y.data(), kRows, kOut),
                  reduced);
  for (std::size_t r = 0; r < kRows; ++r) {
    std::vector<double> row(kOut, 0.1);
    product.forward(parameters.data(), dense(x.data() + r * kIn, 1, kIn),
                    dense(row.data(), 1, kOut), reduced);
    CHECK(std::equal(row.begin(), row.end(), y.begin() + static_cast<std::ptrdiff_t>(r * kOut)));
  }
}

TEST_CASE("an adapter adds the same bits with and without panels", "[model][lora]") {
  const auto parameters = normals<double>(kParameters, 1), x = normals<double>(kRows * kIn, 2);
  const auto outputs = [&](const Product& product) {
    std::vector<double> y(kRows * kOut, 0.1);
    AlignedVector<double> reduced;
    product.forward(parameters.data(), dense(x.data(), kRows, kIn), dense(y.data(), kRows, kOut),
                    reduced);
    return y;
  };
  CHECK(outputs(make(parameters)) == outputs(without_panels()));
}

TEST_CASE("gradients of an adapter equal central differences", "[model][lora]") {
  const auto parameters = normals<double>(kParameters, 1), x = normals<double>(kRows * kIn, 2),
             dy = normals<double>(kRows * kOut, 3);
  const Product product = make(parameters);
  std::vector<double> y(kRows * kOut), gradients(kParameters, 10.0), dx(x.size(), 20.0);
  AlignedVector<double> reduced, scratch;
  product.forward(parameters.data(), dense(x.data(), kRows, kIn), dense(y.data(), kRows, kOut),
                  reduced);
  product.backward(parameters.data(), dense(x.data(), kRows, kIn), reduced,
                   dense(dy.data(), kRows, kOut), gradients.data(), dense(dx.data(), kRows, kIn),
                   scratch);
  constexpr double kStep = 0.5;  // the sum is linear in each: no error of the step
  for (std::size_t i = 0; i < kParameters; ++i) {
    std::vector<double> up = parameters, down = parameters;
    up[i] += kStep, down[i] -= kStep;
    CHECK(gradients[i] ==
          Approx(10.0 + weighted_sum(up, x, dy) - weighted_sum(down, x, dy)).margin(1e-10));
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<double> up = x, down = x;
    up[i] += kStep, down[i] -= kStep;
    CHECK(dx[i] ==
          Approx(20.0 + weighted_sum(parameters, up, dy) - weighted_sum(parameters, down, dy))
              .margin(1e-10));
  }
}

TEST_CASE("a merged adapter is part of the product's weights", "[model][lora]") {
  const auto parameters = normals<double>(kParameters, 1), x = normals<double>(kRows * kIn, 2);
  std::vector<double> weights(kOut * kIn, 0.0), added(kRows * kOut, 0.0);
  make(parameters).merge(parameters.data(), dense(weights.data(), kOut, kIn));
  AlignedVector<double> reduced;
  make(parameters)
      .forward(parameters.data(), dense(x.data(), kRows, kIn), dense(added.data(), kRows, kOut),
               reduced);
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t o = 0; o < kOut; ++o) {
      double y = 0;
      for (std::size_t i = 0; i < kIn; ++i) y += x[r * kIn + i] * weights[o * kIn + i];
      CHECK(added[r * kOut + o] == Approx(y).margin(1e-12));
    }
}

TEST_CASE("the scale is alpha / rank, or alpha / sqrt(rank)", "[model][lora]") {
  CHECK(LowRank{.rank = 16, .alpha = 32}.scale() == 2.0);
  CHECK(LowRank{.rank = 16, .alpha = 32, .rank_stabilized = true}.scale() == 8.0);
}

TEST_CASE("an adapter that cannot be meant is refused", "[model][lora]") {
  const auto refused = [](LowRank options) { return error_of([&] { options.validate(); }); };
  CHECK_THAT(refused({.rank = 0}), ContainsSubstring("rank"));
  // A product of sizes that wraps would give arrays too small for the weights.
  CHECK_THAT(refused({.rank = std::size_t{1} << 60U}),
             ContainsSubstring("rank is 1152921504606846976"));
  CHECK_THAT(refused({.alpha = 0}), ContainsSubstring("alpha"));
  CHECK_THAT(refused({.alpha = 1e300}), ContainsSubstring("alpha is 1e+300"));  // no float
  CHECK_THAT(refused({.alpha = 1e-300}), ContainsSubstring("alpha is 1e-300"));
  CHECK_THAT(refused({.targets = {}}), ContainsSubstring("needs a projection"));
  CHECK_THAT(refused({.targets = {TensorRole::head}}), ContainsSubstring("not a projection"));
  CHECK_THAT(refused({.targets = {TensorRole::up, TensorRole::up}}), ContainsSubstring("twice"));
  CHECK(refused({}) == "no error");
}
