#include "dualagent/model/rope_scaling.hpp"

#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {
/// The frequency of a wave that is `positions` long.
double of_wavelength(double positions) { return 2.0 * std::numbers::pi / positions; }
}  // namespace

TEST_CASE("without scaling a frequency stays, linear scaling divides it", "[model][rope_scaling]") {
  CHECK(RopeScaling{}.scaled(0.3) == 0.3);
  const RopeScaling linear{.type = RopeScaling::Type::linear, .factor = 4.0};
  CHECK(linear.scaled(0.3) == 0.3 / 4.0);
}

TEST_CASE("llama3 scales long waves, keeps short ones and blends those between",
          "[model][rope_scaling]") {
  const RopeScaling llama3{.type = RopeScaling::Type::llama3,
                           .factor = 8.0,
                           .low_freq_factor = 1.0,
                           .high_freq_factor = 4.0,
                           .original_max_position_embeddings = 8192};
  const double longer = of_wavelength(8192 * 1.01);
  CHECK(llama3.scaled(longer) == longer / 8.0);
  const double shorter = of_wavelength(8192 / 4.04);
  CHECK(llama3.scaled(shorter) == shorter);
  // 2.5 turns in 8,192 positions lie half way from 1 to 4.
  const double between = of_wavelength(8192 / 2.5);
  CHECK(llama3.scaled(between) == Approx(between * (0.5 / 8.0 + 0.5)).epsilon(1e-12));
  // Both borders are continuous.
  CHECK(llama3.scaled(of_wavelength(8192 * (1 - 1e-9))) ==
        Approx(of_wavelength(8192) / 8.0).epsilon(1e-7));
  CHECK(llama3.scaled(of_wavelength(2048 * (1 + 1e-9))) ==
        Approx(of_wavelength(2048)).epsilon(1e-7));
}

TEST_CASE("a scaling that cannot be meant is refused by name", "[model][rope_scaling]") {
  const auto problem = [](RopeScaling scaling) { return error_of([&] { scaling.validate(); }); };
  using enum RopeScaling::Type;
  CHECK_NOTHROW(RopeScaling{}.validate());
  CHECK_NOTHROW(RopeScaling{.type = llama3, .factor = 32.0}.validate());
  CHECK_NOTHROW(RopeScaling{.type = linear, .factor = 2.0, .low_freq_factor = -1.0}.validate());
  CHECK_THAT(problem({.type = linear, .factor = 0.5}), ContainsSubstring("factor is 0.5"));
  CHECK_THAT(problem({.type = linear, .factor = std::nan("")}), ContainsSubstring("factor is nan"));
  CHECK_THAT(problem({.type = llama3, .factor = 8.0, .low_freq_factor = 0.0}),
             ContainsSubstring("low_freq_factor is 0"));
  CHECK_THAT(problem({.type = llama3, .factor = 8.0, .low_freq_factor = 4.0}),
             ContainsSubstring("high_freq_factor is not above low_freq_factor"));
  CHECK_THAT(problem({.type = llama3, .high_freq_factor = std::numeric_limits<double>::infinity()}),
             ContainsSubstring("high_freq_factor is inf"));
  CHECK_THAT(problem({.type = llama3, .original_max_position_embeddings = 0}),
             ContainsSubstring("original_max_position_embeddings is 0"));
}

TEST_CASE("types of scaling are named as in config.json", "[model][rope_scaling]") {
  CHECK(std::string(to_string(RopeScaling::Type::none)) == "default");
  CHECK(std::string(to_string(RopeScaling::Type::linear)) == "linear");
  CHECK(std::string(to_string(RopeScaling::Type::llama3)) == "llama3");
}
