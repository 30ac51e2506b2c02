#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/tools/argument_schema.hpp"
#include "dualagent/tools/process_io.hpp"
#include "dualagent/tools/python_server.hpp"
#include "dualagent/tools/python_server_pool.hpp"
#include "dualagent/tools/sandbox.hpp"
#include "dualagent/tools/tool.hpp"
#include "dualagent/tools/tool_memory.hpp"

namespace dualagent {

namespace detail {

/// Text with every byte that is not UTF-8 and every NUL replaced by U+FFFD.
inline std::string as_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const DecodedCharacter character = decode_utf8(bytes);
    if (character.valid && character.code_point != 0)
      text.append(bytes.substr(0, character.size_bytes));
    else
      text += "\xEF\xBF\xBD";
    bytes.remove_prefix(character.size_bytes);
  }
  return text;
}

}  // namespace detail

/// How long names that a program defines live.
enum class PythonState : std::uint8_t { per_call, per_episode };

/// Settings of a PythonInterpreter.
template <class S>
struct PythonOptions {
  S sandbox{};
  PythonState state = PythonState::per_call;
  std::string python = "/usr/bin/python3";  ///< absolute path, readable in the sandbox
  /// Before the program: without the user's packages, UTF-8, nothing buffered so that a killed
  /// program's output is not lost. Without "-S" installed packages can be imported. The environment
  /// is the sandbox's and PYTHONHASHSEED=0, which "-E" and "-I" would ignore.
  std::vector<std::string> python_arguments = {"-s", "-S", "-B", "-u", "-X", "utf8"};
  /// Kept running, each in a sandbox of its own; more are started while more are needed at once.
  std::size_t interpreters = 4;
};

/// The tool `python`: runs a program that a model wrote, unchanged, and answers with what it
/// printed, its traceback, and one line in brackets if it failed or was stopped.
///
/// Interpreters wait in sandboxes and fork a child for each program, so that a call pays for no
/// start. With PythonState::per_call, calls share nothing: an interpreter is used again only if the
/// program left no trace in its sandbox. With PythonState::per_episode, each episode has an
/// interpreter of its own and a program sees the names and files of those before it; the CPU limit
/// then holds for the whole episode, and what ends the interpreter loses the names, which the
/// answer says. A fork of a rollout begins a session of its own. Standard input is at its end.
/// Calls run at the same time on any threads; copies share the interpreters; the last copy kills
/// them. The text is UTF-8; other bytes become U+FFFD. Hashes of texts are the same in every
/// interpreter (PYTHONHASHSEED=0), so that a set is printed in one order; the answers are not
/// deterministic where the program, addresses (`id`, the order of a set of objects), the clock or
/// the limits are not. Errors: AbortRollout if no sandbox can be started;
/// whatever the program does becomes text. Example: ToolBox
/// box{PythonInterpreter<Bubblewrap>{{.sandbox = {.limits = {.wall_seconds = 5}}}}};
template <class S = Bubblewrap>
class PythonInterpreter {
  static_assert(check_sandbox<S>());

 public:
  static constexpr std::string_view name = "python";
  static constexpr std::string_view description =
      "Runs a Python program and returns what it prints.";
  struct Arguments {
    std::string code;
    template <class Visitor>
    void describe(Visitor&& visit) {
      visit("code", code, {.description = "the program"});
    }
  };

  /// Errors: Error for an option that cannot be meant.
  explicit PythonInterpreter(PythonOptions<S> options = {})
      : limits_(options.sandbox.limits),
        state_(options.state),
        pool_(std::make_shared<Pool>(checked(options).sandbox, command(options),
                                     options.interpreters)) {}

  /// Errors: Error for a tool with PythonState::per_episode outside an episode.
  std::string operator()(const Arguments& arguments, const CallInfo& info) const {
    if (state_ == PythonState::per_call) return run(arguments.code, info.cancel);
    if (info.memory == nullptr)
      throw Error("there is no episode whose names could be kept", "python tool",
                  "Set CallInfo::memory, or use PythonState::per_call");
    return run_in(info.memory->of<Server>(pool_.get()), arguments.code, info.cancel);
  }

  /// One program that shares nothing with others, without a rollout; a stop request kills it.
  std::string run(std::string_view code, const std::stop_token& cancel = {}) const {
    return describe(take()->run(code, cancel));
  }

 private:
  using Pool = detail::PythonServerPool<S>;
  struct GiveBack {
    std::shared_ptr<Pool> pool;
    void operator()(detail::PythonServer* server) const {
      pool->give_back(std::unique_ptr<detail::PythonServer>(server));
    }
  };
  using Server = std::unique_ptr<detail::PythonServer, GiveBack>;

  Server take() const { return Server(pool_->take().release(), GiveBack{pool_}); }

  std::string run_in(Server& session, std::string_view code, const std::stop_token& cancel) const {
    if (session == nullptr) session = take();
    std::string text = describe(session->run_in_session(code, cancel));
    if (!session->ended()) return text;
    session.reset();
    if (!text.empty() && text.back() != '\n') text += '\n';
    return text + "[the interpreter was started anew: what it knew is lost]";
  }

  static const PythonOptions<S>& checked(const PythonOptions<S>& options) {
    options.sandbox.limits.validate();
    require_option(options.interpreters, kThreads, "interpreters", "PythonOptions");
    if (options.python.empty())
      throw Error("python is empty", "PythonOptions", "Give the interpreter's absolute path");
    require_no_nul(options.python, "python", "PythonOptions");
    require_no_nul(options.python_arguments, "python_arguments", "PythonOptions");
    return options;
  }

  static std::vector<std::string> command(const PythonOptions<S>& options) {
    std::vector<std::string> words = {options.python};
    words.insert(words.end(), options.python_arguments.begin(), options.python_arguments.end());
    return words;
  }

  std::string describe(const ProcessResult& result) const {
    std::string text = detail::as_utf8(result.output);
    const std::string note = note_on(result);
    if (note.empty()) return text;
    if (!text.empty() && text.back() != '\n') text += '\n';
    return text + "[" + note + "]";
  }

  std::string note_on(const ProcessResult& result) const {
    switch (result.end) {
      case ProcessEnd::wall_clock:
        return "killed: it ran longer than " + seconds(limits_.wall_seconds);
      case ProcessEnd::output_limit:
        return "killed: it printed more than " + std::to_string(limits_.output_bytes) + " bytes";
      case ProcessEnd::cancelled:
        return "killed: the call was cancelled";
      case ProcessEnd::signalled:
        return note_on_signal(result.code);
      case ProcessEnd::exited:
        break;
    }
    return result.code == 0 ? "" : "exit status " + std::to_string(result.code);
  }

  std::string note_on_signal(int number) const {
    if (number == SIGXCPU)
      return "killed: it used more than " + seconds(limits_.cpu_seconds) + " of CPU time";
    if (number == SIGXFSZ)
      return "killed: it wrote a file of more than " + std::to_string(limits_.file_bytes) +
             " bytes";
    const char* abbreviation = sigabbrev_np(number);
    return "killed by the signal " +
           (abbreviation == nullptr ? std::to_string(number) : "SIG" + std::string(abbreviation)) +
           (number == SIGSEGV ? ", as by too deep a recursion" : "");
  }

  static std::string seconds(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text + " s";
  }

  SandboxLimits limits_;
  PythonState state_;
  std::shared_ptr<Pool> pool_;
};

}  // namespace dualagent
