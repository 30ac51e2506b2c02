#include "dualagent/model/recompute.hpp"

#include <cstddef>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("large activations are computed again, unless one always or never wants that",
          "[model][chunk]") {
  using detail::Kept;
  constexpr std::size_t kGib = 1073741824;
  CHECK(detail::kept_for(Recompute::large, kGib) == Kept::all);
  CHECK(detail::kept_for(Recompute::large, kGib + 1) == Kept::inputs);
  for (const std::size_t bytes : {std::size_t{0}, 8 * kGib}) {
    CHECK(detail::kept_for(Recompute::never, bytes) == Kept::all);
    CHECK(detail::kept_for(Recompute::always, bytes) == Kept::inputs);
  }
}
