#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/trace/rollout.hpp"
#include "problem.hpp"

namespace two_books {

/// Held-out episodes of one kind of sampling, by what went right.
struct Score {
  std::size_t tasks = 0;
  std::size_t solved = 0;
  std::size_t right_book = 0;
  std::size_t own_total = 0;  ///< right for the book that was opened
};

/// `rollouts[i]` played `problems[i]`.
inline Score score_of(std::span<const dualagent::Rollout> rollouts,
                      std::span<const Problem> problems) {
  Score score{.tasks = rollouts.size()};
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    score.solved += rollouts[i].reward > 0.5 ? 1 : 0;
    score.right_book += opened_right_book(rollouts[i], problems[i]) ? 1 : 0;
    score.own_total += has_own_total(rollouts[i], problems[i]) ? 1 : 0;
  }
  return score;
}

struct Row {
  std::string name;  ///< "warm_start", "all" or "final"
  Score sampled = {};
  Score greedy = {};
};

struct Result {
  std::uint64_t seed = 0;
  double seconds = 0;
  double max_abs_log_ratio = 0;  ///< nats, between sampling and training
  std::vector<Row> rows = {};

  /// Errors: Error when there is no such row.
  const Row& row(const std::string& name) const {
    for (const Row& candidate : rows)
      if (candidate.name == name) return candidate;
    throw dualagent::Error("there is no row \"" + name + "\"", "seed " + std::to_string(seed));
  }
};

inline void to_json(nlohmann::ordered_json& json, const Score& score) {
  json = {{"tasks", score.tasks},
          {"solved", score.solved},
          {"right_book", score.right_book},
          {"own_total", score.own_total}};
}

inline void write_result(const std::filesystem::path& path, const Result& result) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Row& row : result.rows)
    rows.push_back({{"name", row.name}, {"sampled", row.sampled}, {"greedy", row.greedy}});
  const nlohmann::ordered_json json{{"seed", result.seed},
                                    {"seconds", result.seconds},
                                    {"rows", std::move(rows)},
                                    {"max_abs_log_ratio", result.max_abs_log_ratio}};
  dualagent::write_file_atomically(path, json.dump(2) + '\n');
}

/// Errors: Error with the path for a file that `write_result` did not write.
inline Result read_result(const std::filesystem::path& path) {
  const std::string remedy = "Name a result.json of the two books";
  const nlohmann::json json =
      dualagent::parse_json(dualagent::read_file(path), path.string(), remedy);
  const auto count = [&](const nlohmann::json& object, const char* key,
                         dualagent::CountLimits limits = {}) {
    return dualagent::require_count(object.at(key), key, path.string(), remedy, limits);
  };
  const auto score = [&](const nlohmann::json& object) {
    const std::size_t tasks = count(object, "tasks");
    return Score{tasks, count(object, "solved", {.most = tasks}),
                 count(object, "right_book", {.most = tasks}),
                 count(object, "own_total", {.most = tasks})};
  };
  try {
    Result result{.seed = count(json, "seed"),
                  .seconds = json.at("seconds").get<double>(),
                  .max_abs_log_ratio = json.at("max_abs_log_ratio").get<double>()};
    for (const nlohmann::json& row : json.at("rows"))
      result.rows.push_back(
          {row.at("name").get<std::string>(), score(row.at("sampled")), score(row.at("greedy"))});
    return result;
  } catch (const nlohmann::json::exception& error) {
    throw dualagent::Error(std::string("not a result: ") + error.what(), path.string(), remedy);
  }
}

inline double fraction(std::size_t count, const Score& score) {
  return score.tasks == 0 ? 0 : static_cast<double>(count) / static_cast<double>(score.tasks);
}

/// A Markdown line for each row: sampled / greedy success, right book and own total.
inline std::string table_lines(const Result& result) {
  std::string text;
  for (const Row& row : result.rows) {
    text += "| " + std::to_string(result.seed) + " | " + row.name;
    for (std::size_t Score::*count : {&Score::solved, &Score::right_book, &Score::own_total})
      text += " | " + dualagent::percent_text(fraction(row.sampled.*count, row.sampled), 1) +
              " / " + dualagent::percent_text(fraction(row.greedy.*count, row.greedy), 1);
    text += " |\n";
  }
  return text;
}

inline constexpr std::string_view kTableHead =
    "| seed | trained | success, sampled / greedy | right book | own total |\n"
    "|---|---|---|---|---|\n";

}  // namespace two_books
