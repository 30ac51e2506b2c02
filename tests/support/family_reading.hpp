#pragma once

#include <string>

#include "dualagent/model/model_family.hpp"
#include "support/error_of.hpp"

/// What a family reads from a few entries, into a config of 3 layers, 4 heads and 512 positions.
struct FamilyReading {
  dualagent::TransformerConfig config{
      .num_hidden_layers = 3, .num_attention_heads = 4, .max_position_embeddings = 512};
  std::string error;

  FamilyReading(const dualagent::ModelFamily& family, const std::string& entries) {
    const nlohmann::json object = nlohmann::json::parse("{" + entries + "}");
    const dualagent::detail::ConfigReader reader(object, "config.json");
    error = error_of([&] { family.read(reader, config); });
  }
};
