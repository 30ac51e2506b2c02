#pragma once

/// Definitions of result_json.hpp; see core/compiled.hpp.

#include "dualagent/report/result_json.hpp"

namespace dualagent::detail {

[[noreturn]] inline void refuse_result(const std::string& what, const std::string& where) {
  throw Error(what, where, "Give every row a name of its own and both evaluations, numbers finite");
}

inline nlohmann::ordered_json failures_json(std::span<const FailureCount> failures) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const FailureCount& failure : failures)
    object[failure.kind] = count_failures(failures, failure.kind);
  return object;
}

inline nlohmann::ordered_json interval_json(const Proportion& proportion) {
  const Interval interval = wilson_interval(proportion);
  return {interval.low, interval.high};
}

inline nlohmann::ordered_json row_json(const ResultRow& row) {
  nlohmann::ordered_json object{{"name", row.name},
                                {"success_sampled", row.sampled.fraction()},
                                {"success_greedy", row.greedy.fraction()},
                                {"tasks", row.sampled.trials},
                                {"solved_sampled", row.sampled.successes},
                                {"solved_greedy", row.greedy.successes},
                                {"interval_sampled", interval_json(row.sampled)},
                                {"interval_greedy", interval_json(row.greedy)},
                                {"failures_sampled", failures_json(row.failures_sampled)},
                                {"failures_greedy", failures_json(row.failures_greedy)}};
  if (row.tokens_per_task) object["tokens_per_task"] = *row.tokens_per_task;
  if (row.seconds) object["seconds"] = *row.seconds;
  if (!row.note.empty()) object["note"] = row.note;
  return object;
}

inline void check_result(const RunResult& result) {
  if (!std::isfinite(result.seconds) || !std::isfinite(result.max_abs_log_ratio))
    refuse_result("seconds or max_abs_log_ratio is not finite", "result.json");
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const ResultRow& row = result.rows[i];
    const std::string where = "result.json, row '" + row.name + "'";
    if (row.name.empty()) refuse_result("a row has no name", where);
    for (std::size_t j = 0; j < i; ++j)
      if (result.rows[j].name == row.name) refuse_result("two rows have one name", where);
    if (!row.sampled.measured() || row.sampled.trials != row.greedy.trials)
      refuse_result("sampled and greedy were not evaluated on the same number of tasks", where);
    for (const auto& value : {row.tokens_per_task, row.seconds})
      if (value && !std::isfinite(*value)) refuse_result("a number is not finite", where);
  }
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string result_json(const RunResult& result) {
  detail::check_result(result);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ResultRow& row : result.rows) rows.push_back(detail::row_json(row));
  const nlohmann::ordered_json object{{"seed", result.seed},
                                      {"seconds", result.seconds},
                                      {"rows", std::move(rows)},
                                      {"max_abs_log_ratio", result.max_abs_log_ratio}};
  try {
    return object.dump(2) + '\n';
  } catch (const nlohmann::json::exception& error) {
    throw Error(std::string("a text is not valid UTF-8: ") + error.what(), "result.json");
  }
}

DUALAGENT_INLINE void write_result(const std::filesystem::path& path, const RunResult& result) {
  write_file_atomically(path, result_json(result));
}

}  // namespace dualagent

namespace dualagent::detail {

inline constexpr const char* kResultRemedy = "Name a result.json that write_result wrote";

/// A count under `key`. Errors: Error for anything else; what nlohmann_json throws.
inline std::size_t read_count(const nlohmann::json& object, const std::string& key,
                              const std::string& where, CountLimits limits = {}) {
  return require_count(object.at(key), key, where, kResultRemedy, limits);
}

inline std::vector<FailureCount> read_failures(const nlohmann::json& row, const char* key,
                                               const std::string& where) {
  std::vector<FailureCount> failures;
  if (!row.contains(key)) return failures;
  if (!row.at(key).is_object()) refuse_result("failures are not counts by kind", where);
  for (const auto& [kind, count] : row.at(key).items())
    failures.push_back({kind, require_count(count, std::string(key) + "." + printable(kind), where,
                                            kResultRemedy)});
  return failures;
}

DUALAGENT_INLINE ResultRow read_row(const nlohmann::json& row, const std::string& where) {
  const auto number = [&](const char* key) {
    return row.contains(key) ? std::optional(row.at(key).get<double>()) : std::nullopt;
  };
  const std::size_t tasks = read_count(row, "tasks", where);
  return {.name = row.at("name").get<std::string>(),
          .note = row.value("note", ""),
          .sampled = {read_count(row, "solved_sampled", where, {.most = tasks}), tasks},
          .greedy = {read_count(row, "solved_greedy", where, {.most = tasks}), tasks},
          .failures_sampled = read_failures(row, "failures_sampled", where),
          .failures_greedy = read_failures(row, "failures_greedy", where),
          .tokens_per_task = number("tokens_per_task"),
          .seconds = number("seconds")};
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE RunResult read_result(const std::filesystem::path& path) {
  const nlohmann::json object = parse_json(read_file(path), path.string(), detail::kResultRemedy);
  try {
    RunResult result{.seed = detail::read_count(object, "seed", path.string()),
                     .seconds = object.at("seconds").get<double>(),
                     .rows = {},
                     .max_abs_log_ratio = object.at("max_abs_log_ratio").get<double>()};
    for (const nlohmann::json& row : object.at("rows"))
      result.rows.push_back(detail::read_row(row, path.string()));
    return result;
  } catch (const nlohmann::json::exception& error) {
    throw Error(std::string("not a result: ") + error.what(), path.string(), detail::kResultRemedy);
  }
}

}  // namespace dualagent
