#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/report/wilson.hpp"

/// What several seeds of one example say together.
namespace seeds {

/// One proportion of one row, e.g. sampled success, on every seed.
using OverSeeds = std::vector<dualagent::Proportion>;

inline std::vector<double> sorted_fractions(const OverSeeds& seeds) {
  std::vector<double> fractions;
  for (const dualagent::Proportion& seed : seeds) fractions.push_back(seed.fraction());
  std::sort(fractions.begin(), fractions.end());
  return fractions;
}

inline double least(const OverSeeds& seeds) { return sorted_fractions(seeds).front(); }
inline double most(const OverSeeds& seeds) { return sorted_fractions(seeds).back(); }

/// The mean of the two in the middle where their number is even.
inline double median(const OverSeeds& seeds) {
  const std::vector<double> sorted = sorted_fractions(seeds);
  return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

/// All held-out tasks of all seeds together.
inline dualagent::Proportion pooled(const OverSeeds& seeds) {
  dualagent::Proportion sum;
  for (const dualagent::Proportion& seed : seeds) {
    sum.successes += seed.successes;
    sum.trials += seed.trials;
  }
  return sum;
}

/// Rows with their proportions, in the order in which they were first seen.
class Table {
 public:
  void add(const std::string& row, const std::string& measure,
           const dualagent::Proportion& proportion) {
    for (auto& [key, seeds] : lines_)
      if (key == std::pair(row, measure)) return seeds.push_back(proportion);
    lines_.push_back({{row, measure}, {proportion}});
  }

  /// Empty if no seed has it.
  OverSeeds of(const std::string& row, const std::string& measure) const {
    for (const auto& [key, seeds] : lines_)
      if (key == std::pair(row, measure)) return seeds;
    return {};
  }

  /// Minimum, median and maximum are over seeds; the interval is Wilson's of all tasks pooled,
  /// which does not contain the spread between seeds.
  void print() const {
    std::printf(
        "| row | measure | seeds | minimum | median | maximum | pooled, 95 %% Wilson interval |\n"
        "|---|---|---|---|---|---|---|\n");
    for (const auto& [key, seeds] : lines_) {
      const dualagent::Proportion all = pooled(seeds);
      const dualagent::Interval interval = dualagent::wilson_interval(all);
      std::printf("| %s | %s | %zu | %s | %s | %s | %s (%s to %s) |\n", key.first.c_str(),
                  key.second.c_str(), seeds.size(), percent(least(seeds)).c_str(),
                  percent(median(seeds)).c_str(), percent(most(seeds)).c_str(),
                  percent(all.fraction()).c_str(),
                  dualagent::fixed_text(100 * interval.low, 1).c_str(),
                  dualagent::fixed_text(100 * interval.high, 1).c_str());
    }
    std::printf("\n");
  }

 private:
  static std::string percent(double fraction) { return dualagent::percent_text(fraction, 1); }

  std::vector<std::pair<std::pair<std::string, std::string>, OverSeeds>> lines_;
};

/// Prints whether each bar is met and remembers whether all are.
class Bars {
 public:
  void check(bool holds, const std::string& text) {
    std::printf("%s %s\n", holds ? "met:   " : "MISSED:", text.c_str());
    all_met_ = all_met_ && holds;
  }
  bool all_met() const { return all_met_; }

 private:
  bool all_met_ = true;
};

}  // namespace seeds
