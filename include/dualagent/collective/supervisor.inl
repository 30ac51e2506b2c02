#pragma once

/// Definitions of supervisor.hpp; see core/compiled.hpp.

#include "dualagent/collective/supervisor.hpp"

namespace dualagent {

DUALAGENT_INLINE void SupervisorOptions::validate() const {
  require_option(restart_seconds, kSeconds, "restart_seconds", "SupervisorOptions");
  require_option(grace_seconds, kSeconds, "grace_seconds", "SupervisorOptions");
  if (again_status == 0)
    throw Error("the status 0 says that the work is done", "SupervisorOptions::again_status",
                "Let the program ask with another one, e.g. 75");
  if (again_status) require_option(*again_status, {1, 255}, "again_status", "SupervisorOptions");
}

DUALAGENT_INLINE std::string SupervisorOutcome::text() const {
  std::string text;
  for (std::size_t p = 0; p < programs.size(); ++p) {
    const SupervisedEnd& one = programs[p];
    text += one.name + ": " + one.end.text() + ", started again " + std::to_string(one.restarts) +
            (one.restarts == 1 ? " time\n" : " times\n");
    if (gave_up == p)
      for (const std::string& line : one.end.last_words) text += "    " + line + "\n";
  }
  return text;
}

}  // namespace dualagent

namespace dualagent::detail {

/// The programs of `supervise`, and how far they are.
class Supervision {
 public:
  Supervision(const std::vector<SupervisedProgram>& programs, const SupervisorOptions& options)
      : programs_(programs), options_(options) {
    for (const SupervisedProgram& program : programs) {
      kept_.emplace_back();
      outcome_.programs.push_back({program.name});
    }
    for (std::size_t p = 0; p < kept_.size(); ++p) start(p);
  }

  SupervisorOutcome run() {
    while (!all_over(true) || !all_over(false)) {
      wait();
      while (const int number = signals_.next()) {
        outcome_.interrupted = true;
        tell_to_end(false, number);
      }
      for (std::size_t p = 0; p < kept_.size(); ++p) look(p);
      if (!servers_end_ && all_over(false)) {
        servers_end_ = true;
        tell_to_end(true, SIGTERM);
      }
      if (limit_ && Clock::now() >= *limit_) {
        for (Kept& one : kept_)
          if (one.process) one.process->signal(SIGKILL);
        limit_.reset();
      }
    }
    return outcome_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {
    std::optional<LaunchedProcess> process{};
    std::optional<Clock::time_point> starts_at{};  // again
    std::size_t first_polled = 0;
  };

  static Clock::time_point in(double seconds) {
    return Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  void start(std::size_t p) {
    kept_[p].starts_at.reset();
    kept_[p].process.emplace(programs_[p].command, environment_with({}));
  }

  bool all_over(bool serve) const {
    for (std::size_t p = 0; p < kept_.size(); ++p)
      if (programs_[p].serves == serve && (kept_[p].process || kept_[p].starts_at)) return false;
    return true;
  }

  /// Of those that serve or of those that do not, nothing is started again.
  void tell_to_end(bool serve, int signal) {
    (serve ? servers_end_ : work_ends_) = true;
    limit_ = in(options_.grace_seconds);
    for (std::size_t p = 0; p < kept_.size(); ++p) {
      if (programs_[p].serves != serve) continue;
      kept_[p].starts_at.reset();
      if (kept_[p].process) kept_[p].process->signal(signal);
    }
  }

  void wait() {
    polled_.assign(1, {signals_.file(), POLLIN, 0});
    std::optional<Clock::time_point> next = limit_;
    for (Kept& one : kept_) {
      one.first_polled = polled_.size();
      if (one.process) one.process->add_to(polled_);
      if (one.starts_at && (!next || *one.starts_at < *next)) next = one.starts_at;
    }
    const auto left = next ? std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now())
                           : std::chrono::milliseconds(-1);
    ::poll(polled_.data(), polled_.size(),
           next ? static_cast<int>(std::clamp<long long>(left.count(), 0, 1000)) : -1);
  }

  void look(std::size_t p) {
    Kept& one = kept_[p];
    if (one.starts_at && Clock::now() >= *one.starts_at) return start(p);
    if (!one.process) return;
    const auto on_line = [&](bool is_error, const std::string& line) {
      if (options_.on_line) return options_.on_line(p, is_error, line);
      std::fprintf(is_error ? stderr : stdout, "[%s] %s\n", programs_[p].name.c_str(),
                   line.c_str());
      if (!is_error) std::fflush(stdout);
    };
    one.process->look(&polled_[one.first_polled], options_.last_lines, on_line);
    if (!one.process->ended()) return;
    one.process->read_rest(options_.last_lines, on_line);
    outcome_.programs[p].end = one.process->end();
    one.process.reset();
    ended(p);
  }

  /// Starts it again, unless its work is done or all is about to end.
  void ended(std::size_t p) {
    SupervisedEnd& is = outcome_.programs[p];
    const bool serves = programs_[p].serves;
    if (serves ? servers_end_ : work_ends_ || is.end.status == 0) return;
    kept_[p].starts_at = in(options_.restart_seconds);
    if (is.end.status == options_.again_status) return;
    if (is.restarts == options_.max_restarts) {
      outcome_.gave_up = p;
      kept_[p].starts_at.reset();
      return tell_to_end(false, SIGTERM);
    }
    ++is.restarts;
    if (options_.on_restart) options_.on_restart(p, is.end, is.restarts);
  }

  const std::vector<SupervisedProgram>& programs_;
  const SupervisorOptions& options_;
  const CaughtSignals signals_;
  SupervisorOutcome outcome_;
  std::vector<Kept> kept_;  // of each program; a process until it has ended
  std::vector<pollfd> polled_;
  bool work_ends_ = false, servers_end_ = false;
  std::optional<Clock::time_point> limit_;  // for those that were told to end
};

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE SupervisorOutcome supervise(const std::vector<SupervisedProgram>& programs,
                                             const SupervisorOptions& options) {
  options.validate();
  for (const SupervisedProgram& program : programs)
    if (program.command.empty())
      throw Error("there is no program to run", "program '" + program.name + "' of supervise");
  if (std::ranges::all_of(programs, [](const auto& program) { return program.serves; }))
    throw Error("no program has an end of its own", "supervise",
                "Give one at least that does not serve the others");
  return detail::Supervision(programs, options).run();
}

}  // namespace dualagent
