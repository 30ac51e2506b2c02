// Gathers result.json of several runs of the two books into one Markdown table, checks the bars:
//   two_books_table out/seed-0/result.json ...
// Exit status 1 when a bar is missed.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "two_books/result.hpp"

namespace {

using namespace two_books;

double solved(const Score& score) { return share(score.solved, score); }
double right_book(const Score& score) { return share(score.right_book, score); }

bool check_bars(const std::vector<Result>& results) {
  bool all_met = true;
  const auto check = [&](const char* text, auto holds) {
    const bool met = std::all_of(results.begin(), results.end(), [&](const Result& result) {
      return holds(result.row("warm_start"), result.row("all"), result.row("final"));
    });
    std::printf("%s %s\n", met ? "met:   " : "MISSED:", text);
    all_met = all_met && met;
  };
  using R = const Row&;
  check("all segments: greedy >= 95 %", [](R, R all, R) { return solved(all.greedy) >= 0.95; });
  check("all segments: sampled >= 80 %", [](R, R all, R) { return solved(all.sampled) >= 0.8; });
  check("all segments: right book sampled >= 90 %",
        [](R, R all, R) { return right_book(all.sampled) >= 0.9; });
  check("final segment: greedy <= 5 %", [](R, R, R last) { return solved(last.greedy) <= 0.05; });
  check("final segment: right book sampled within 10 points of the warm start",
        [](R warm, R, R last) {
          return std::abs(right_book(last.sampled) - right_book(warm.sampled)) <= 0.1;
        });
  check("own total greedy >= 95 % in both", [](R, R all, R last) {
    return std::min(share(all.greedy.own_total, all.greedy),
                    share(last.greedy.own_total, last.greedy)) >= 0.95;
  });
  check("sampled success at least 40 points apart",
        [](R, R all, R last) { return solved(all.sampled) - solved(last.sampled) >= 0.4; });
  return all_met;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<Result> results;
    for (int i = 1; i < argc; ++i) results.push_back(read_result(argv[i]));
    if (results.empty()) throw dualagent::Error("name at least one result.json");
    std::fputs(std::string(kTableHead).c_str(), stdout);
    for (const Result& result : results) std::fputs(table_lines(result).c_str(), stdout);
    std::printf("\n");
    return check_bars(results) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
