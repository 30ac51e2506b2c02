#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/data/hashed_answer.hpp"
#include "dualagent/data/task_format.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace retool_summary {

/// A format of task files that is chosen while the program runs.
struct AnyRows {
  std::string name;  ///< for people
  std::function<dualagent::Task(std::string_view, std::size_t, const std::string&)> read_row;

  template <class Format>
  AnyRows(std::string format_name, Format format)
      : name(std::move(format_name)),
        read_row([format = std::move(format)](std::string_view row, std::size_t line,
                                              const std::string& where) {
          return format.read(row, line, where);
        }) {}

  dualagent::Task read(std::string_view row, std::size_t line, const std::string& where) const {
    return read_row(row, line, where);
  }
};

/// The format that a row of these keys has. Errors: Error with `where` for one that none has.
inline AnyRows rows_like(std::string_view row, const std::string& where) {
  using namespace dualagent;
  const std::string remedy =
      "Rows have id, prompt and answer (dualagent), question and answer (GSM8K, AIME), problem and "
      "answer (MATH, AIME), Problem and Answer (AIME), prompt and label or reward_model "
      "(DAPO-Math), or messages (chats)";
  const nlohmann::json object = parse_json(row, where, remedy);
  const auto has = [&](const char* a, const char* b) {
    return object.is_object() && object.contains(a) && object.contains(b);
  };
  if (has("prompt", "label")) return {"messages and label", MessageRows{}};
  if (has("prompt", "reward_model"))
    return {"DAPO-Math", MessageRows{.answer_key = "reward_model/ground_truth"}};
  if (has("prompt", "answer")) return {"dualagent's own", TaskRows{}};
  if (has("question", "answer")) {
    const bool hashes = object["answer"].is_string() &&
                        after_hashes(object["answer"].get_ref<const std::string&>()).has_value();
    if (hashes) return {"GSM8K", Gsm8kRows{}};
    return {"questions and answers", ProblemRows{.problem_key = "question"}};
  }
  if (has("problem", "answer")) return {"problems and answers", ProblemRows{}};
  if (has("Problem", "Answer"))
    return {"AIME", ProblemRows{.problem_key = "Problem", .answer_key = "Answer"}};
  if (object.is_object() && object.contains("messages"))
    return {"chats", MessageRows{.messages_key = "messages", .answer_key = ""}};
  throw Error("these rows have no form that is known", where, remedy);
}

/// The format of a file, by its first row. Errors: Error for a file that cannot be read, has no
/// row, or whose first row has no form that is known.
inline AnyRows rows_of(const std::filesystem::path& path) {
  const dualagent::MappedFile file(path);
  std::size_t line = 1;
  for (std::string_view text = file.text(); !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, end);
    if (row.find_first_not_of(" \t\r") != std::string_view::npos)
      return rows_like(row, path.string() + ":" + std::to_string(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  throw dualagent::Error("there are no tasks", path.string(), "Write one JSON object per line");
}

}  // namespace retool_summary
