#pragma once

#include <string>
#include <vector>

#include "data.hpp"
#include "dualagent/train/evaluation.hpp"
#include "result.hpp"

namespace two_books {

/// Writes down what the table needs of every evaluation.
class Scores {
 public:
  explicit Scores(const Data& data) : data_(data) {}

  void add(const std::string& name, float temperature, const dualagent::Evaluation& evaluation) {
    if (rows_.empty() || rows_.back().name != name) rows_.push_back({.name = name});
    (temperature > 0 ? rows_.back().sampled : rows_.back().greedy) =
        score_of(evaluation.rollouts, data_.held_out);
  }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  const Data& data_;
  std::vector<Row> rows_;
};

}  // namespace two_books
