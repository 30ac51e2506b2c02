#include "dualagent/core/aligned_vector.hpp"

#include <cstdint>

#include "support/catch.hpp"

using dualagent::AlignedVector;

TEST_CASE("numbers begin at a cache line, however a vector came to its size", "[core]") {
  for (std::size_t size = 1; size < 3000; size = size * 3 + 1) {
    AlignedVector<float> grown;
    for (std::size_t i = 0; i < size; ++i) grown.push_back(static_cast<float>(i));
    AlignedVector<float> copied = grown;
    copied.resize(2 * size);
    for (const auto* vector : {&grown, &copied})
      CHECK(reinterpret_cast<std::uintptr_t>(vector->data()) % 64 == 0);
    CHECK(copied[size - 1] == grown[size - 1]);
  }
}
