#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/warning.hpp"

/// Collects the warnings that are given while it lives.
class Warnings {
 public:
  std::size_t count() const { return texts_.size(); }
  /// All of them, each followed by a line break.
  std::string text() const {
    std::string all;
    for (const std::string& text : texts_) all += text + '\n';
    return all;
  }

 private:
  std::vector<std::string> texts_;
  dualagent::WarningScope scope_{[this](std::string_view text) { texts_.emplace_back(text); }};
};
