#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/data/task_format.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/json_lines.hpp"
#include "dualagent/text/dialect.hpp"
#include "dualagent/trace/rollout.hpp"
#include "play.hpp"

namespace retool_summary {

/// A task with the expressions of its worked solution: "3*14", "12+42".
struct WorkedTask {
  dualagent::Task task;
  std::vector<std::string> steps;
};

/// The expressions of the steps <<expression=value>> of a solution; nothing where one has another
/// character than digits, signs, brackets, points and spaces.
inline std::vector<std::string> steps_of(std::string_view solution) {
  std::vector<std::string> steps;
  for (std::size_t at = 0; (at = solution.find("<<", at)) != std::string_view::npos;) {
    at += 2;
    const std::string_view step = solution.substr(at, solution.find(">>", at) - at);
    const std::string_view expression = step.substr(0, step.find('='));
    if (expression.empty() ||
        expression.find_first_not_of("0123456789+-*/(). ") != std::string_view::npos)
      return {};
    steps.emplace_back(expression);
  }
  return steps;
}

/// The rows of a file of GSM8K's form whose solutions have steps. Errors: Error that names
/// --warm-start-steps for a file without any; as `Gsm8kRows`.
inline std::vector<WorkedTask> read_worked_tasks(const std::filesystem::path& path) {
  using namespace dualagent;
  std::vector<WorkedTask> worked;
  for_each_row(read_file(path), path.string(),
               [&](std::string_view row, std::size_t line, const std::string& where) {
                 Task task = Gsm8kRows{}.read(row, line, where);
                 const auto solution =
                     parse_json(row, where, "")["answer"].template get<std::string>();
                 std::vector<std::string> steps = steps_of(solution);
                 if (!steps.empty()) worked.push_back({std::move(task), std::move(steps)});
               });
  if (worked.empty())
    throw Error("no solution in " + path.string() + " has steps such as <<3*14=42>>",
                "--warm-start-steps", "Leave it out, or give rows of GSM8K's form with --tasks");
  return worked;
}

/// Plays worked tasks as the pair is to play them: a call for each step, really run, a summary
/// where the protocol asks for one, the boxed answer. What an agent says is a demonstration.
///
/// The segments are those of a shared model: request and summary stand in the Answerer's window.
class Demonstrator {
 public:
  /// `play` must outlive it.
  explicit Demonstrator(const Play& play) : play_(play) {}

  /// Errors: Error that names --warm-start-steps where the dialect cannot write a turn or does not
  /// read it as it was meant, since the model's template wants other turns, e.g. with thoughts.
  std::vector<dualagent::Segment> play(const WorkedTask& worked) const {
    using namespace dualagent;
    std::vector<Segment> segments;
    open(segments, Provenance::prompt, play_.dialect.prompt(worked.task));
    std::vector<std::string> said;  // program and output of each call in this window
    std::size_t summaries = 0;
    for (std::size_t i = 0; i < worked.steps.size(); ++i) {
      const std::string program = "print(" + worked.steps[i] + ")";
      const ToolCall call{.tool = std::string(SandboxedPython::name),
                          .arguments = "{\"code\": " + nlohmann::json(program).dump() + "}"};
      const Tokens turn = say_turn(segments.back().context, {.calls = {call}});
      const std::string output = play_.tools.call(call, {.task = &worked.task, .call = i}).text;
      segments.back().context.append(Provenance::observation,
                                     play_.dialect.observation(std::array{output}, turn));
      said.push_back("Program: " + program +
                     "\nOutput: " + std::string(dualagent::trimmed(output)));
      if (!overlong(segments.back().context, summaries)) continue;
      const Context next = summarize(segments.back().context, said);
      segments.push_back({AgentRole::answerer, segments.size() - 1, next});
      said.erase(said.begin(), said.end() - 1);
      ++summaries;
    }
    say_turn(segments.back().context,
             {.text = "The answer is \\boxed{" + worked.task.answer + "}."});
    return segments;
  }

 private:
  using Tokens = std::vector<dualagent::Token>;

  static void open(std::vector<dualagent::Segment>& segments, dualagent::Provenance provenance,
                   const Tokens& tokens) {
    segments.emplace_back();
    segments.back().context.append(provenance, tokens);
  }

  bool overlong(const dualagent::Context& context, std::size_t summaries) const {
    return play_.trigger.should_summarize({.tokens = context.size(),
                                           .max_tokens = play_.limits.max_context_tokens,
                                           .turns = dualagent::count_turns(context),
                                           .summaries = summaries});
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw dualagent::Error("turns of the template '" + play_.dialect.name +
                               "' are written in another way than the warm start's: " + why,
                           "--warm-start-steps", "Leave it out for this model");
  }

  /// What `write` returns: a turn or a summary as the dialect writes it.
  template <class Write>
  Tokens written(Write&& write) const {
    try {
      return write();
    } catch (const dualagent::Error& error) {
      refuse(error.problem());
    }
  }

  Tokens say_turn(dualagent::Context& context, const dualagent::SaidTurn& said) const {
    context.append(dualagent::Provenance::injected, play_.dialect.turn_opening(context));
    const Tokens turn = written([&] { return play_.dialect.write_turn(said); });
    const dualagent::Turn read = play_.dialect.parse_turn(turn);
    const bool as_meant = said.calls.empty()
                              ? std::holds_alternative<dualagent::Answer>(read)
                              : std::holds_alternative<std::vector<dualagent::ToolCall>>(read);
    if (!as_meant) refuse("a turn would be read otherwise");
    context.append(dualagent::Provenance::demonstration, turn);
    return turn;
  }

  /// Appends request and summary, and returns the window that follows.
  dualagent::Context summarize(dualagent::Context& context,
                               std::span<const std::string> said) const {
    std::string text;
    for (const std::string& call : said) (text += text.empty() ? "" : "\n") += call;
    const Tokens summary = written([&] { return play_.dialect.write_summary({.text = text}); });
    context.append(dualagent::Provenance::injected, play_.dialect.summary_request());
    context.append(dualagent::Provenance::demonstration, summary, dualagent::AgentRole::summarizer);
    return play_.rewriter.rewrite(context, play_.dialect.present_summary(summary));
  }

  const Play& play_;
};

}  // namespace retool_summary
