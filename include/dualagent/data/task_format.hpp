#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/spelling.hpp"
#include "dualagent/data/hashed_answer.hpp"
#include "dualagent/data/message_content.hpp"
#include "dualagent/data/task.hpp"

namespace dualagent {

/// How one line of a JSON-lines file says what the task is.
///
/// Requirement on a constant f: `f.read(row, line, where)` returns the Task of `row` (the line's
/// text), the line numbered from 1; it throws Error with `where` ("FILE:LINE") if the row cannot be
/// used.
template <class F>
concept TaskFormat = requires(const F& format, std::string_view row, std::size_t line,
                              const std::string& where) {
  { format.read(row, line, where) } -> std::same_as<Task>;
};

/// One readable sentence if F is not a TaskFormat.
template <class F>
consteval bool check_task_format() {
  static_assert(TaskFormat<F>,
                "dualagent: a TaskFormat needs 'Task read(std::string_view row, std::size_t line, "
                "const std::string& where) const'; see docs/data.md");
  return true;
}

namespace detail {

std::string text_of(const nlohmann::json& object, const std::string& key, const std::string& where,
                    const std::string& remedy);

/// The digits, points and commas with which a text begins, behind a minus and a dollar sign.
std::string leading_number(std::string_view text);

}  // namespace detail

/// dualagent's own rows: {"id": ..., "prompt": ..., "answer": ..., "seed": 0, "max_calls": 9,
/// "system": ...}; the last three may be left out.
///
/// Errors: Error for a missing, ill-typed or unknown key, an empty id or an empty prompt.
struct TaskRows {
  Task read(std::string_view row, std::size_t, const std::string& where) const;
};

/// Rows of GSM8K: {"question": ..., "answer": "...\n#### 72"}. The task's answer is the number that
/// follows "####" (see after_hashes), as it is written, without a unit or a dollar sign; its id is
/// `id_prefix` and the number of the line. Source: Cobbe et al., 2021.
///
/// Errors: Error for a missing or ill-typed key, an empty question, an answer without "####" and a
/// number behind it.
struct Gsm8kRows {
  std::string id_prefix = "gsm8k-";
  Task read(std::string_view row, std::size_t line, const std::string& where) const;
};

/// Rows with a problem and its answer, each under a key of its own: {"problem": ..., "answer":
/// "73"}, as MATH and most files of AIME have them. The id is the row's own "id", else `id_prefix`
/// and the number of the line. Other keys are ignored, since data sets carry many.
///
/// Errors: Error for a missing or ill-typed key, an empty problem or answer.
struct ProblemRows {
  std::string problem_key = "problem";
  std::string answer_key = "answer";  ///< a text or whole number
  std::string id_prefix = "problem-";

  Task read(std::string_view row, std::size_t line, const std::string& where) const;
};

/// Rows with OpenAI-style messages. The defaults read the reference system's files
/// ({"prompt": [{"role": "user", "content": ...}], "label": "73"}, or a plain text as prompt).
/// DAPO-Math's own files have `answer_key = "reward_model/ground_truth"`.
/// With `messages_key = "messages", answer_key = ""` they are chats
/// ({"messages": [system, user, assistant]}), whose last message is the reference answer.
///
/// A conversation is a system message where wanted and one of the user. Contents are texts or lists
/// of text parts. The id is the row's own "id", else `id_prefix` and the number of the line. Other
/// keys are ignored, since data sets carry many.
/// Errors: Error for a missing or ill-typed key, other roles or more turns, parts that are not
/// text, a plain prompt that is written in a chat template already, an empty user message or
/// answer.
struct MessageRows {
  std::string messages_key = "prompt";
  /// Of a text or whole number; KEY/INNER leads into an object; "": the last message, the
  /// assistant's.
  std::string answer_key = "label";
  std::string id_prefix = "row-";

  Task read(std::string_view row, std::size_t line, const std::string& where) const;

 private:
  std::string remedy() const;

  void read_plain(std::string text, Task& task, const std::string& where) const;

  void read_messages(const nlohmann::json& messages, Task& task, const std::string& where) const;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/data/task_format.inl"
#endif
