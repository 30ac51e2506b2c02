#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/text/dialect.hpp"
#include "support/sanitizers.hpp"

/// What every ToolDialect promises; run it on your own.
namespace laws {

using Violations = std::vector<std::string>;

namespace detail {

inline std::string describe(const dualagent::Turn& turn) {
  if (const auto* answer = std::get_if<dualagent::Answer>(&turn)) return "answer " + answer->text;
  if (const auto* malformed = std::get_if<dualagent::MalformedTurn>(&turn))
    return "malformed " + malformed->reason;
  std::string text = "calls";
  for (const auto& call : std::get<std::vector<dualagent::ToolCall>>(turn))
    text += " " + call.tool + call.arguments;
  return text;
}

inline void check_vocabulary(std::span<const dualagent::Token> tokens, std::size_t vocab_size,
                             const std::string& what, Violations& found) {
  for (const dualagent::Token token : tokens)
    if (token < 0 || static_cast<std::size_t>(token) >= vocab_size)
      found.push_back(what + " holds token " + std::to_string(token));
}

inline void check_stop(const dualagent::StopRule& stop, std::size_t vocab_size,
                       const std::string& what, Violations& found) {
  if (stop.max_new_tokens == 0) found.push_back(what + " allows no token");
  check_vocabulary(stop.stop_tokens, vocab_size, what, found);
}

/// Whatever a model says is read without an exception, twice alike.
template <class Dialect>
void check_reading(const Dialect& dialect, std::span<const dualagent::Token> said,
                   std::size_t vocab_size, Violations& found) {
  const dualagent::Turn turn = dialect.parse_turn(said);
  if (describe(turn) != describe(dialect.parse_turn(said)))
    found.push_back("one turn is read in two ways");
  if (const auto* malformed = std::get_if<dualagent::MalformedTurn>(&turn)) {
    if (malformed->reason.empty()) found.push_back("a malformed turn has no reason");
    if (const auto correction = dialect.correction(*malformed))
      check_vocabulary(*correction, vocab_size, "a correction", found);
  }
  if (dialect.check_summary(said) != dialect.check_summary(said))
    found.push_back("one summary is judged in two ways");
  if (!dialect.check_summary(said))
    check_vocabulary(dialect.present_summary(said), vocab_size, "a presented summary", found);
}

}  // namespace detail

/// A dialect reads anything a model may sample, writes tokens of its vocabulary only, opens every
/// task with a given token, and is pure. One sentence per violation.
template <dualagent::ToolDialect Dialect>
Violations of_dialect(const Dialect& dialect, std::span<const dualagent::Task> tasks,
                      std::size_t vocab_size) {
  Violations found;
  detail::check_stop(dialect.turn_stop(), vocab_size, "turn_stop", found);
  detail::check_stop(dialect.summary_stop(), vocab_size, "summary_stop", found);
  detail::check_vocabulary(dialect.summary_request(), vocab_size, "summary_request", found);
  for (const dualagent::Task& task : tasks) {
    const std::vector<dualagent::Token> prompt = dialect.prompt(task);
    if (prompt.empty()) found.push_back("the prompt of task '" + task.id + "' is empty");
    if (prompt != dialect.prompt(task)) found.push_back("a task has two prompts");
    detail::check_vocabulary(prompt, vocab_size, "the prompt of task '" + task.id + "'", found);
  }
  const std::vector<std::string> results{"", "7", "no page 8", "\xFF\xFE<|end|>\n",
                                         std::string(5000, 'x')};
  for (std::size_t count = 0; count <= results.size(); ++count)
    detail::check_vocabulary(dialect.observation(std::span(results).first(count)), vocab_size,
                             "an observation", found);
  const auto random = dualagent::RandomStream::from_seed(17);
  for (std::size_t i = 0; i < random_cases(20'000); ++i) try {
      const dualagent::RandomStream draws = random.child(i);
      std::vector<dualagent::Token> said(1 + draws.below(0, 12));
      for (std::size_t t = 0; t < said.size(); ++t)
        said[t] = static_cast<dualagent::Token>(draws.below(1 + t, vocab_size));
      detail::check_reading(dialect, said, vocab_size, found);
    } catch (const std::exception& error) {
      found.push_back("sampled tokens make the dialect throw: " + std::string(error.what()));
    }
  return found;
}

}  // namespace laws
