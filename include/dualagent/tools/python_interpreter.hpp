#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/tools/read_argument.hpp"
#include "dualagent/tools/sandbox.hpp"
#include "dualagent/tools/sandboxed_process.hpp"
#include "dualagent/tools/tool.hpp"

namespace dualagent {

namespace detail {

/// Waits for a program on standard input and runs it as the module __main__. A traceback begins at
/// the program's own first frame and shows its source lines, cut at 1000 characters.
inline constexpr std::string_view kPythonStub = R"py(
def stub():
    import sys, types, traceback, linecache
    compile('0', '<code>', 'exec')
    source = sys.stdin.buffer.read()
    if not source.strip():
        return 0
    main = types.ModuleType('__main__')
    main.__builtins__ = __builtins__
    sys.modules['__main__'] = main
    try:
        code = compile(source, '<code>', 'exec', dont_inherit=True)
        linecache.cache['<code>'] = (len(source), None, source.decode('utf-8', 'replace').splitlines(True), '<code>')
        del source
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        try:
            sys.stdout.flush()
        except Exception:
            pass
        trace = error.__traceback__.tb_next
        text = ''.join(traceback.format_exception(type(error), error, trace))
        for line in text.splitlines():
            sys.stderr.write((line if len(line) < 1000 else line[:1000] + '...') + '\n')
        return 1
    return 0
import sys
status = stub()
# What the end of an interpreter does for the program; tearing down its modules would only take time.
if 'threading' in sys.modules:
    sys.modules['threading']._shutdown()
import atexit, os
atexit._run_exitfuncs()
try:
    sys.stdout.flush()
except Exception:
    pass
os._exit(status)
)py";

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

/// Started processes that wait for work, kept at a given number by a thread of their own. All are
/// started by that thread, which lives as long as the pool: a sandbox dies with its maker.
template <Sandbox S>
class ProcessPool {
 public:
  ProcessPool(S sandbox, std::vector<std::string> command, std::size_t size)
      : sandbox_(std::move(sandbox)), command_(std::move(command)), size_(size) {
    refill_ = std::jthread([this](std::stop_token stop) { refill(stop); });
  }

  /// A waiting process, for one use. Waits for one to start if there is none.
  /// Errors: AbortRollout if none can be started.
  std::unique_ptr<SandboxedProcess> take() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    wanted_.notify_one();
    ready_.wait(lock, [&] { return !idle_.empty() || !problem_.empty(); });
    --waiting_;
    if (idle_.empty()) throw AbortRollout(std::exchange(problem_, {}));
    auto process = std::move(idle_.front());
    idle_.pop_front();
    wanted_.notify_one();
    return process;
  }

 private:
  void refill(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const bool more = wanted_.wait(lock, stop, [&] {
        return idle_.size() < size_ + waiting_ && (problem_.empty() || waiting_ > 0);
      });
      if (!more || stop.stop_requested()) return;
      lock.unlock();
      std::unique_ptr<SandboxedProcess> process;
      std::string problem;
      try {
        process = std::make_unique<SandboxedProcess>(sandbox_.launch(command_), sandbox_.limits);
      } catch (const std::exception& error) {
        problem = error.what();
      }
      lock.lock();
      if (process != nullptr) idle_.push_back(std::move(process));
      problem_ = problem;
      ready_.notify_all();
    }
  }

  S sandbox_;
  std::vector<std::string> command_;
  std::size_t size_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable_any wanted_;
  std::deque<std::unique_ptr<SandboxedProcess>> idle_;
  std::size_t waiting_ = 0;
  std::string problem_;
  std::jthread refill_;  // last: ends before what it uses
};

}  // namespace detail

/// Settings of a PythonInterpreter.
template <Sandbox S>
struct PythonOptions {
  S sandbox{};
  std::string python = "/usr/bin/python3";  ///< absolute path, readable in the sandbox
  /// Before the program: isolated from the user's settings, UTF-8, nothing buffered so that a
  /// killed program's output is not lost. Without "-S" installed packages can be imported.
  std::vector<std::string> python_arguments = {"-I", "-S", "-B", "-u", "-X", "utf8"};
  std::size_t waiting_interpreters = 4;  ///< started ahead, each a sandbox of its own
};

/// The tool `python`: runs a program that a model wrote, unchanged, and answers with what it
/// printed, its traceback, and one line in brackets if it failed or was stopped.
///
/// Every call gets a fresh interpreter in a fresh sandbox, started ahead of time, so that calls
/// neither share state nor pay the start. Standard input is at its end. Calls run at the same time
/// on any threads; copies share the waiting interpreters; the last copy kills them.
/// The text is UTF-8; other bytes become U+FFFD. The answers are not deterministic where the
/// program, the clock or the limits are not.
/// Errors: AbortRollout if no sandbox can be started; whatever the program does becomes text.
/// Example: ToolBox box{PythonInterpreter<Bubblewrap>{{.sandbox = {.limits = {.wall_seconds =
/// 5}}}}};
template <Sandbox S = Bubblewrap>
class PythonInterpreter {
  static_assert(check_sandbox<S>());

 public:
  static constexpr std::string_view name = "python";
  struct Arguments {
    std::string code;
    friend void from_json(const nlohmann::json& json, Arguments& arguments) {
      read_argument(json, "code", arguments.code);
    }
  };

  explicit PythonInterpreter(PythonOptions<S> options = {})
      : limits_(options.sandbox.limits),
        pool_(std::make_shared<detail::ProcessPool<S>>(options.sandbox, command(options),
                                                       options.waiting_interpreters)) {}

  std::string operator()(const Arguments& arguments, const CallInfo&) const {
    return run(arguments.code);
  }

  /// The same without a rollout; a stop request kills the program.
  std::string run(std::string_view code, std::stop_token cancel = {}) const {
    return describe(pool_->take()->communicate(code, std::move(cancel)));
  }

 private:
  static std::vector<std::string> command(const PythonOptions<S>& options) {
    std::vector<std::string> words = {options.python};
    words.insert(words.end(), options.python_arguments.begin(), options.python_arguments.end());
    words.insert(words.end(), {"-c", std::string(detail::kPythonStub)});
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
  std::shared_ptr<detail::ProcessPool<S>> pool_;
};

}  // namespace dualagent
