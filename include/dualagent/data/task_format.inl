#pragma once

/// Definitions of task_format.hpp; see core/compiled.hpp.

#include "dualagent/data/task_format.hpp"

namespace dualagent::detail {

inline nlohmann::json parse_row(std::string_view row, const std::string& where,
                                const std::string& remedy) {
  nlohmann::json object = parse_json(row, where, remedy);
  if (!object.is_object()) throw Error("a task is not a JSON object", where, remedy);
  return object;
}

DUALAGENT_INLINE std::string text_of(const nlohmann::json& object, const std::string& key,
                                     const std::string& where, const std::string& remedy) {
  if (!object.contains(key))
    throw Error("the task has no \"" + key + "\"" + misspelt_key(object, key), where, remedy);
  if (!object[key].is_string())
    throw Error("the task's \"" + key + "\" is not a text", where, remedy);
  return object[key].get<std::string>();
}

/// A text, or a whole number as text. `key` may lead into an object: "reward_model/ground_truth".
inline std::string scalar_of(const nlohmann::json& object, const std::string& key,
                             const std::string& where, const std::string& remedy) {
  const std::size_t slash = key.find('/');
  if (slash == std::string::npos) {
    if (object.contains(key) && object[key].is_number_integer()) return object[key].dump();
    return text_of(object, key, where, remedy);
  }
  const std::string outer = key.substr(0, slash);
  if (!object.contains(outer))
    throw Error("the task has no \"" + outer + "\"" + misspelt_key(object, outer), where, remedy);
  if (!object[outer].is_object())
    throw Error("the task's \"" + outer + "\" is not a JSON object", where, remedy);
  return scalar_of(object[outer], key.substr(slash + 1), where, remedy);
}

DUALAGENT_INLINE std::string leading_number(std::string_view text) {
  std::string number;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (number.empty() && c == '$') continue;
    if (!digit && !(number.empty() && c == '-') && c != '.' && c != ',') break;
    number += c;
  }
  while (!number.empty() && (number.back() < '0' || number.back() > '9')) number.pop_back();
  return number;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE Task TaskRows::read(std::string_view row, std::size_t,
                                     const std::string& where) const {
  const std::string remedy =
      "A row is {\"id\": \"...\", \"prompt\": \"...\", \"answer\": \"...\"}, with \"seed\", "
      "\"max_calls\" (whole numbers) and \"system\" where wanted";
  const nlohmann::json object = detail::parse_row(row, where, remedy);
  constexpr std::array<std::string_view, 6> kKeys = {"id",   "prompt",    "answer",
                                                     "seed", "max_calls", "system"};
  for (const std::string& key : keys_of(object))
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      throw Error(
          "the task has an unknown key \"" + printable(key) + "\"" + spelling_hint(key, kKeys),
          where, remedy);
  Task task{.id = detail::text_of(object, "id", where, remedy),
            .prompt = detail::text_of(object, "prompt", where, remedy),
            .answer = detail::text_of(object, "answer", where, remedy)};
  for (const auto& [key, value] : object.items()) {
    if (key == "seed" || key == "max_calls") {
      const std::uint64_t count = require_count(value, "the task's \"" + key + "\"", where, remedy);
      if (key == "seed")
        task.seed = count;
      else
        task.max_calls = count;
    }
    if (key == "system") task.system = detail::text_of(object, key, where, remedy);
  }
  if (task.id.empty() || task.prompt.empty())
    throw Error("the task's id or prompt is empty", where, remedy);
  return task;
}

DUALAGENT_INLINE Task Gsm8kRows::read(std::string_view row, std::size_t line,
                                      const std::string& where) const {
  const std::string remedy =
      "A row of GSM8K is {\"question\": \"...\", \"answer\": \"... #### NUMBER\"}";
  const nlohmann::json object = detail::parse_row(row, where, remedy);
  const std::string solution = detail::text_of(object, "answer", where, remedy);
  Task task{.id = id_prefix + std::to_string(line),
            .prompt = detail::text_of(object, "question", where, remedy)};
  const std::optional<std::string_view> said = after_hashes(solution);
  if (!said) throw Error("nothing follows \"####\" in the answer", where, remedy);
  task.answer = detail::leading_number(*said);
  if (task.answer.empty())
    throw Error("what follows \"####\" does not begin with a number", where, remedy);
  if (task.prompt.empty()) throw Error("the question is empty", where, remedy);
  return task;
}

DUALAGENT_INLINE Task ProblemRows::read(std::string_view row, std::size_t line,
                                        const std::string& where) const {
  const std::string remedy =
      "A row is {\"" + problem_key + "\": \"...\", \"" + answer_key + "\": \"...\"}";
  const nlohmann::json object = detail::parse_row(row, where, remedy);
  Task task{.id = id_prefix + std::to_string(line),
            .prompt = detail::text_of(object, problem_key, where, remedy),
            .answer = detail::scalar_of(object, answer_key, where, remedy)};
  if (object.contains("id")) task.id = detail::scalar_of(object, "id", where, remedy);
  if (task.id.empty() || task.prompt.empty() || task.answer.empty())
    throw Error("the row's id, problem or answer is empty", where, remedy);
  return task;
}

DUALAGENT_INLINE Task MessageRows::read(std::string_view row, std::size_t line,
                                        const std::string& where) const {
  const nlohmann::json object = detail::parse_row(row, where, remedy());
  Task task{.id = id_prefix + std::to_string(line)};
  if (object.contains("id")) task.id = detail::scalar_of(object, "id", where, remedy());
  if (!object.contains(messages_key))
    throw Error("the row has no \"" + messages_key + "\"" + misspelt_key(object, messages_key),
                where, remedy());
  if (!answer_key.empty()) task.answer = detail::scalar_of(object, answer_key, where, remedy());
  const nlohmann::json& messages = object[messages_key];
  if (messages.is_string())
    read_plain(messages.get<std::string>(), task, where);
  else
    read_messages(messages, task, where);
  if (task.id.empty() || task.prompt.empty() || task.answer.empty())
    throw Error("the row's id, user message or answer is empty", where, remedy());
  return task;
}

DUALAGENT_INLINE std::string MessageRows::remedy() const {
  return "A row is {\"" + messages_key + "\": [{\"role\": \"user\", \"content\": \"...\"}" +
         (answer_key.empty() ? ", {\"role\": \"assistant\", ...}]}"
                             : "], \"" + answer_key + "\": \"...\"}");
}

DUALAGENT_INLINE void MessageRows::read_plain(std::string text, Task& task,
                                              const std::string& where) const {
  for (const char* mark : {"<|im_start|>", "<|start_header_id|>", "<|begin_of_text|>"})
    if (text.find(mark) != std::string::npos)
      throw Error(std::string("the prompt is written in a chat template already: it has ") + mark,
                  where, "Give the messages; the dialect writes the template");
  task.prompt = std::move(text);
}

DUALAGENT_INLINE void MessageRows::read_messages(const nlohmann::json& messages, Task& task,
                                                 const std::string& where) const {
  if (!messages.is_array())
    throw Error("\"" + messages_key + "\" is neither a text nor a list of messages", where,
                remedy());
  std::string roles;
  for (const nlohmann::json& message : messages) {
    if (!message.is_object()) throw Error("a message is not a JSON object", where, remedy());
    const std::string role = detail::text_of(message, "role", where, remedy());
    const std::optional<std::string> said = message_content(message, where, remedy());
    const std::string content = said ? *said : detail::text_of(message, "content", where, remedy());
    roles += (roles.empty() ? "" : ", ") + role;
    if (role == "system") task.system = content;
    if (role == "user") task.prompt = content;
    if (role == "assistant") task.answer = content;
  }
  const std::string asked = answer_key.empty() ? "user, assistant" : "user";
  if (roles != asked && roles != "system, " + asked)
    throw Error("the messages are by: " + (roles.empty() ? "nobody" : roles), where,
                "A task is by: " + asked + ", after a system message where wanted");
}

}  // namespace dualagent
