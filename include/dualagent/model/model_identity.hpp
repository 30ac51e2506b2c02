#pragma once

#include <map>
#include <string>
#include <string_view>

#include "dualagent/core/number_text.hpp"
#include "dualagent/model/linear.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// What a transformer is beside its parameters, for `identity()` of models and adapters: all of its
/// config but the length of contexts, which changes no number, and what its products are made of.
/// Models whose parameters have one size may still be others, e.g. with another base of the rotary
/// positions. Example: identity_of(config, Precision::bfloat16).at("precision") == "bfloat16"
inline std::map<std::string, std::string> identity_of(const TransformerConfig& config,
                                                      Precision precision) {
  std::map<std::string, std::string> identity;
  config.for_each([&](std::string_view name, double value) {
    if (name != "max_position_embeddings") identity.emplace(name, shortest_text(value));
  });
  identity["precision"] = precision == Precision::bfloat16 ? "bfloat16" : "of parameters";
  return identity;
}

}  // namespace dualagent
