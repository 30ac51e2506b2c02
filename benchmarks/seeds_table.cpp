// Gathers result.json of several quickstart runs into one Markdown table and checks the bars:
//   seeds_table out/seed-0/result.json out/seed-1/result.json ...
// Exit status 1 when a bar is missed.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/report/result_json.hpp"

namespace {

using dualagent::ResultRow;
using dualagent::RunResult;

const ResultRow& row_of(const RunResult& result, const std::string& name) {
  for (const ResultRow& row : result.rows)
    if (row.name == name) return row;
  throw dualagent::Error("there is no row \"" + name + "\"", "seed " + std::to_string(result.seed),
                         "Run the quickstart without --only");
}

std::string cell(const ResultRow& row) {
  return dualagent::percent_text(row.sampled.fraction(), 1) + " / " +
         dualagent::percent_text(row.greedy.fraction(), 1);
}

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

bool check_bars(const std::vector<RunResult>& results) {
  std::size_t sampled_90 = 0;
  double least_greedy = 1, least_warm = 1, most_warm = 0, most_gain = -1, most_window = 0;
  double log_ratio = 0;
  for (const RunResult& result : results) {
    const ResultRow& dual = row_of(result, "dual");
    const ResultRow& warm = row_of(result, "warm_start");
    const ResultRow& frozen = row_of(result, "frozen_summarizer");
    const ResultRow& window = row_of(result, "sliding_window");
    least_greedy = std::min(least_greedy, dual.greedy.fraction());
    sampled_90 += dual.sampled.fraction() >= 0.9 ? 1 : 0;
    for (const double success : {warm.sampled.fraction(), warm.greedy.fraction()}) {
      least_warm = std::min(least_warm, success);
      most_warm = std::max(most_warm, success);
    }
    most_gain = std::max({most_gain, frozen.sampled.fraction() - warm.sampled.fraction(),
                          frozen.greedy.fraction() - warm.greedy.fraction()});
    most_window = std::max({most_window, window.sampled.fraction(), window.greedy.fraction()});
    log_ratio = std::max(log_ratio, result.max_abs_log_ratio);
  }
  Bars bars;
  bars.check(least_greedy >= 0.95, "dual-agent greedy >= 95 % on every seed");
  bars.check(sampled_90 + 1 >= results.size(),
             "dual-agent sampled >= 90 % on all seeds but at most one");
  bars.check(least_warm >= 0.1 && most_warm <= 0.7, "warm start between 10 % and 70 %");
  bars.check(most_gain <= 0.15, "frozen Summarizer at most 15 points above its warm start");
  bars.check(most_window <= 0.15, "sliding window <= 15 %");
  bars.check(log_ratio <= 1e-5,
             "max |log ratio| <= 1e-5, measured " + dualagent::shortest_text(log_ratio));
  return bars.all_met();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<RunResult> results;
    for (int i = 1; i < argc; ++i) results.push_back(dualagent::read_result(argv[i]));
    if (results.empty()) throw dualagent::Error("name at least one result.json");
    std::printf(
        "| seed | dual-agent | warm start | Summarizer frozen | sliding window | no limit | "
        "seconds |\n|---|---|---|---|---|---|---|\n");
    for (const RunResult& result : results)
      std::printf("| %llu | %s | %s | %s | %s | %s | %.0f |\n",
                  static_cast<unsigned long long>(result.seed),
                  cell(row_of(result, "dual")).c_str(), cell(row_of(result, "warm_start")).c_str(),
                  cell(row_of(result, "frozen_summarizer")).c_str(),
                  cell(row_of(result, "sliding_window")).c_str(),
                  cell(row_of(result, "no_limit")).c_str(), result.seconds);
    std::printf("\n");
    return check_bars(results) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
