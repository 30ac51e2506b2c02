#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

/// What engines really replied: tests/golden/engines, made by record_engines.py there.
namespace recorded_engines {

/// The record of that name of sglang.json or vllm.json: {"path", "body", "status", "reply"}.
inline nlohmann::json record(const std::string& engine, const std::string& name) {
  std::ifstream file(std::filesystem::path(DUALAGENT_TEST_DATA) / "engines" / (engine + ".json"));
  for (const nlohmann::json& one : nlohmann::json::parse(file))
    if (one.at("name") == name) return one;
  throw std::runtime_error("nothing was recorded as " + name);
}
inline nlohmann::json reply(const std::string& engine, const std::string& name) {
  return record(engine, name).at("reply");
}

}  // namespace recorded_engines
