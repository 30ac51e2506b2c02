// Gathers result.json of several seeds of an example into a table and checks the example's bars:
//   seeds_table quickstart|two_books|objective_sweep out/1/result.json out/2/result.json ...
// Exit status 1 when a bar is missed.

#include <cmath>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "dualagent/report/result_json.hpp"
#include "seeds.hpp"
#include "two_books/result.hpp"

namespace {

using namespace seeds;
using dualagent::Proportion;
using dualagent::ResultRow;
using Paths = std::span<const char* const>;

void add(Table& table, const ResultRow& row) {
  table.add(row.name, "sampled", row.sampled);
  table.add(row.name, "greedy", row.greedy);
}

std::string cell(const ResultRow& row) {
  return dualagent::percent_text(row.sampled.fraction(), 1) + " / " +
         dualagent::percent_text(row.greedy.fraction(), 1);
}

/// "---|" for each column of a Markdown table's head.
std::string rule(const std::string& head) {
  std::string text;
  for (auto i = std::count(head.begin(), head.end(), '|'); i > 1; --i) text += "---|";
  return text;
}

/// On no seed `after` is above `before` by more than `most`; nor below it, if `two_sided`.
bool stays(const OverSeeds& before, const OverSeeds& after, double most, bool two_sided) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double gain = after[i].fraction() - before[i].fraction();
    if (gain > most || (two_sided && -gain > most)) return false;
  }
  return true;
}

/// Bars of rows that were not run (--only) are left out.
bool quickstart_table(Paths paths) {
  Table table;
  double log_ratio = 0;
  std::string head = "| seed |";
  std::string lines;
  for (const char* const path : paths) {
    const dualagent::RunResult result = dualagent::read_result(path);
    lines += "| " + std::to_string(result.seed) + " |";
    for (const ResultRow& row : result.rows) {
      if (path == paths.front()) head += " " + row.name + " |";
      lines += " " + cell(row) + " |";
      add(table, row);
    }
    lines += "\n";
    log_ratio = std::max(log_ratio, result.max_abs_log_ratio);
  }
  std::printf("Sampled / greedy:\n\n%s\n|%s\n%s", head.c_str(), rule(head).c_str(), lines.c_str());
  std::printf("\n");
  table.print();
  Bars bars;
  const auto check = [&](const OverSeeds& seeds, auto holds, const char* text) {
    if (!seeds.empty()) bars.check(holds(seeds), text);
  };
  const OverSeeds warm = table.of("warm_start", "sampled");
  const OverSeeds warm_greedy = table.of("warm_start", "greedy");
  check(
      table.of("dual", "greedy"), [](const auto& s) { return least(s) >= 0.95; },
      "dual-agent greedy >= 95 % on every seed");
  check(
      table.of("dual", "sampled"),
      [](const auto& s) {
        return std::count_if(s.begin(), s.end(),
                             [](const Proportion& p) { return p.fraction() < 0.9; }) <= 1;
      },
      "dual-agent sampled >= 90 % on all seeds but at most one");
  check(
      warm,
      [&](const auto& s) {
        return std::min(least(s), least(warm_greedy)) >= 0.1 &&
               std::max(most(s), most(warm_greedy)) <= 0.7;
      },
      "warm start between 10 % and 70 %");
  if (!warm.empty())
    check(
        table.of("frozen_summarizer", "sampled"),
        [&](const auto& s) {
          return stays(warm, s, 0.15, false) &&
                 stays(warm_greedy, table.of("frozen_summarizer", "greedy"), 0.15, false);
        },
        "frozen Summarizer at most 15 points above its warm start");
  check(
      table.of("sliding_window", "sampled"),
      [&](const auto& s) {
        return std::max(most(s), most(table.of("sliding_window", "greedy"))) <= 0.15;
      },
      "sliding window <= 15 %");
  check(
      table.of("no_limit", "sampled"),
      [&](const auto& s) {
        return std::min(least(s), least(table.of("no_limit", "greedy"))) >= 0.95;
      },
      "no context limit >= 95 %");
  bars.check(log_ratio <= 1e-5,
             "max |log ratio| <= 1e-5, measured " + dualagent::shortest_text(log_ratio));
  return bars.all_met();
}

bool two_books_table(Paths paths) {
  using namespace two_books;
  Table table;
  std::fputs(std::string(kTableHead).c_str(), stdout);
  for (const char* const path : paths) {
    const Result result = read_result(path);
    std::fputs(table_lines(result).c_str(), stdout);
    for (const Row& row : result.rows)
      for (const auto& [kind, score] :
           {std::pair("sampled", row.sampled), {"greedy", row.greedy}}) {
        const std::string suffix = std::string(", ") + kind;
        table.add(row.name, "success" + suffix, {score.solved, score.tasks});
        table.add(row.name, "right book" + suffix, {score.right_book, score.tasks});
        table.add(row.name, "own total" + suffix, {score.own_total, score.tasks});
      }
  }
  std::printf("\n");
  table.print();
  const auto all = [&](const char* measure) { return table.of("all", measure); };
  const auto last = [&](const char* measure) { return table.of("final", measure); };
  Bars bars;
  bars.check(least(all("success, greedy")) >= 0.95, "all segments: greedy >= 95 %");
  bars.check(least(all("success, sampled")) >= 0.8, "all segments: sampled >= 80 %");
  bars.check(least(all("right book, sampled")) >= 0.9, "all segments: right book sampled >= 90 %");
  bars.check(most(last("success, greedy")) <= 0.05, "final segment: greedy <= 5 %");
  bars.check(
      stays(table.of("warm_start", "right book, sampled"), last("right book, sampled"), 0.1, true),
      "final segment: right book sampled within 10 points of the warm start");
  bars.check(std::min(least(all("own total, greedy")), least(last("own total, greedy"))) >= 0.95,
             "own total greedy >= 95 % in both");
  bars.check(stays(all("success, sampled"), last("success, sampled"), -0.4, false),
             "sampled success at least 40 points apart");
  return bars.all_met();
}

/// The sweep compares; it has no bars.
bool objective_sweep_table(Paths paths) {
  Table table;
  for (const char* const path : paths) {
    const std::string remedy = "Name a result.json of the objective sweep";
    const nlohmann::json json = dualagent::parse_json(dualagent::read_file(path), path, remedy);
    const auto count = [&](const nlohmann::json& row, const char* key,
                           dualagent::CountLimits limits = {}) {
      return dualagent::require_count(row.at(key), key, path, remedy, limits);
    };
    for (const nlohmann::json& problem : json.at("problems"))
      for (const nlohmann::json& row : problem.at("rows")) {
        const std::string name =
            problem.at("name").get<std::string>() + ": " + row.at("label").get<std::string>();
        const std::size_t tasks = count(row, "tasks");
        table.add(name, "sampled", {count(row, "solved_sampled", {.most = tasks}), tasks});
        table.add(name, "greedy", {count(row, "solved_greedy", {.most = tasks}), tasks});
        if (row.contains("right_book_sampled"))
          table.add(name, "right book",
                    {static_cast<std::size_t>(std::lround(
                         row.at("right_book_sampled").get<double>() * static_cast<double>(tasks))),
                     tasks});
      }
  }
  table.print();
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string example = argc > 1 ? argv[1] : "";
    const Paths paths(argv + std::min(argc, 2), static_cast<std::size_t>(std::max(0, argc - 2)));
    if (paths.empty())
      throw dualagent::Error("name an example and at least one result.json", "command line");
    if (example == "quickstart") return quickstart_table(paths) ? 0 : 1;
    if (example == "two_books") return two_books_table(paths) ? 0 : 1;
    if (example == "objective_sweep") return objective_sweep_table(paths) ? 0 : 1;
    throw dualagent::Error("there is no example \"" + example + "\"", "command line",
                           "The examples are quickstart, two_books and objective_sweep");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}
