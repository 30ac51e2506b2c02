#pragma once

/// Definitions of safetensors_format.hpp; see core/compiled.hpp.

#include "dualagent/io/safetensors_format.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string shape_to_string(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE std::optional<std::size_t> checked_product(std::span<const std::size_t> shape,
                                                            std::size_t factor) {
  std::size_t product = factor;
  bool overflow = false;
  for (const std::size_t extent : shape)
    overflow |= __builtin_mul_overflow(product, extent, &product);
  if (overflow) return std::nullopt;
  return product;
}

}  // namespace dualagent::detail
