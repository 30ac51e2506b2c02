#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/rollout/protocol.hpp"
#include "dualagent/summary/trigger.hpp"
#include "dualagent/text/dialect_for.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "dualagent/tools/python_interpreter.hpp"
#include "dualagent/tools/tool_box.hpp"
#include "options.hpp"

namespace retool_summary {

/// The python tool in a sandbox that is chosen while the program runs; adds up how long calls took.
struct SandboxedPython {
  static constexpr std::string_view name = dualagent::PythonInterpreter<>::name;
  static constexpr std::string_view description = dualagent::PythonInterpreter<>::description;
  using Arguments = dualagent::PythonInterpreter<>::Arguments;

  std::function<std::string(const Arguments&, const dualagent::CallInfo&)> run;
  std::shared_ptr<std::atomic<double>> seconds = std::make_shared<std::atomic<double>>(0.0);

  std::string operator()(const Arguments& arguments, const dualagent::CallInfo& info) const {
    const auto start = std::chrono::steady_clock::now();
    std::string answer = run(arguments, info);
    *seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return answer;
  }
};

namespace detail {

template <class Sandbox>
SandboxedPython python_in(const Options& options) {
  dualagent::PythonOptions<Sandbox> python;
  python.sandbox.limits.wall_seconds = options.tool_seconds;
  python.sandbox.limits.cpu_seconds = static_cast<unsigned>(std::ceil(options.tool_seconds));
  dualagent::PythonInterpreter<Sandbox> interpreter(std::move(python));
  return {
      [interpreter](const SandboxedPython::Arguments& arguments, const dualagent::CallInfo& info) {
        return interpreter({arguments.code}, info);
      }};
}

}  // namespace detail

/// Errors: Error that names --sandbox where bubblewrap is asked for and does not work here.
inline SandboxedPython make_python(const Options& options) {
  std::string why;
  const bool works = options.sandbox != SandboxKind::rlimits && dualagent::bubblewrap_works(&why);
  if (works) return detail::python_in<dualagent::Bubblewrap>(options);
  if (options.sandbox == SandboxKind::bubblewrap)
    throw dualagent::Error("bubblewrap does not work here: " + why, "--sandbox",
                           "Allow unprivileged user namespaces, or take --sandbox rlimits, which "
                           "leaves network and readable files open to the model's programs");
  return detail::python_in<dualagent::Rlimits>(options);
}

using Dialect = dualagent::KnownDialect<dualagent::HuggingFaceTokenizer>;
using Play = dualagent::Protocol<Dialect, dualagent::ToolBox<SandboxedPython>,
                                 dualagent::TokenBudget, dualagent::ReplaceBySummary>;

/// How an episode is played with the model in `options.model`, which has `positions`.
///
/// Errors: as `dialect_for` and `Protocol`; Error that names --budget or --context
/// for one that the model has no room for.
inline Play make_play(const Options& options, const dualagent::HuggingFaceTokenizer& tokenizer,
                      std::size_t positions, SandboxedPython python) {
  using namespace dualagent;
  const std::size_t context = options.context_for(positions);
  if (context > positions)
    throw Error("the model has " + std::to_string(positions) + " positions", "--context",
                "Give at most as many");
  if (options.budget >= context)
    throw Error("a budget of " + std::to_string(options.budget) +
                    " tokens is never passed in a context of " + std::to_string(context),
                "--budget", "Give less");
  const ToolBox box{std::move(python)};
  auto dialect = dialect_for(
      options.model, tokenizer,
      {.chat = {.system = options.system,
                .tools = box.specs(),
                .max_turn_tokens = options.turn_tokens,
                .max_summary_tokens = options.summary_tokens,
                .summary_request =
                    "Summarize the work so far: copy the last program and its output word for "
                    "word, keep every other result in a few words, and conclude nothing new."}});
  return Play{std::move(dialect), box, TokenBudget{.max_tokens = options.budget},
              ReplaceBySummary{},
              RolloutLimits{.max_context_tokens = context,
                            .max_turns = options.max_turns,
                            .max_calls = options.max_calls,
                            .max_summaries = options.max_turns}};
}

}  // namespace retool_summary
