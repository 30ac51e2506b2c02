#pragma once

#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/error.hpp"
#include "dualagent/core/stop_signals.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "options.hpp"

/// What the programs with a run.sh share: options, Ctrl-C, resuming and errors.
namespace quickstart {

/// Thrown when Ctrl-C ended a training run, once all is saved.
struct Interrupted {};

/// Errors: Error if `out` holds an earlier run, unless it is to be resumed.
inline void refuse_foreign_folder(const std::filesystem::path& out, bool resume) {
  if (!resume && std::filesystem::exists(out / "checkpoints"))
    throw dualagent::Error("the output folder holds an earlier run", out.string(),
                           "Add --resume to go on with it, or choose another folder with --out");
}

namespace detail {

inline std::string command_of(std::string_view script, std::span<const char* const> arguments) {
  std::string command = "bash " + std::string(script);
  for (const char* const argument : arguments)
    if (std::string_view(argument) != "--resume") (command += ' ') += argument;
  return command;
}

}  // namespace detail

/// Runs `run(options, command)`; returns the exit status. `parse(arguments)` gives the options, an
/// `Options` or a class derived from it; `command` is what people type, without --resume.
template <class Parse, class Work>
int run_program(std::span<const char* const> arguments, std::string_view script,
                std::string_view help, Parse parse, Work run) {
  const std::string command = detail::command_of(script, arguments);
  try {
    const auto options = parse(arguments);
    if (options.help) {
      std::fwrite(help.data(), 1, help.size(), stdout);
      return 0;
    }
    const dualagent::StopSignals signals;  // Ctrl-C between two runs ends the next one
    refuse_foreign_folder(options.out, options.resume);
    dualagent::ensure_directory(options.out);
    run(options, command);
    return 0;
  } catch (const Interrupted&) {
    std::fprintf(stderr, "\nStopped; everything is saved. Go on with:\n  %s --resume\n",
                 command.c_str());
    return 130;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "\nerror: %s\n", error.what());
    return 1;
  }
}

}  // namespace quickstart
