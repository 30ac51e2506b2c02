#pragma once

/// Definitions of launcher.hpp; see core/compiled.hpp.

#include "dualagent/collective/launcher.hpp"

namespace dualagent {

DUALAGENT_INLINE void LaunchOptions::validate() const {
  require_option(ranks, {1, 4096}, "ranks", "LaunchOptions");
  require_option(grace_seconds, kSeconds, "grace_seconds", "LaunchOptions");
}

DUALAGENT_INLINE std::string LaunchOutcome::text() const {
  std::vector<std::size_t> order;
  if (first_failed) order.push_back(*first_failed);
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    if (rank != first_failed) order.push_back(rank);
  std::string text;
  for (const std::size_t rank : order) {
    const RankEnd& end = ranks[rank];
    text += "rank " + std::to_string(rank) + " (process " + std::to_string(end.process) + ") " +
            end.text() + (rank == first_failed && ranks.size() > 1 ? ", first\n" : "\n");
    if (end.status != 0)
      for (const std::string& line : end.last_words) text += "    " + line + "\n";
  }
  return text;
}

DUALAGENT_INLINE LaunchOutcome launch_ranks(const std::vector<std::string>& command,
                                            const LaunchOptions& options) {
  using Clock = std::chrono::steady_clock;
  options.validate();
  if (command.empty()) throw Error("there is no program to run", "launch_ranks");
  const detail::CaughtSignals signals;
  const std::string run = "launch-" + detail::fresh_word();
  const std::string port = std::to_string(RendezvousListener(0).port() - 1);
  const std::string size = std::to_string(options.ranks);
  std::vector<detail::LaunchedProcess> processes;
  processes.reserve(options.ranks);
  for (std::size_t rank = 0; rank < options.ranks; ++rank)
    processes.emplace_back(
        command, detail::environment_with({"RANK=" + std::to_string(rank), "WORLD_SIZE=" + size,
                                           "LOCAL_RANK=" + std::to_string(rank),
                                           "LOCAL_WORLD_SIZE=" + size, "MASTER_ADDR=127.0.0.1",
                                           "MASTER_PORT=" + port, "DUALAGENT_RUN=" + run}));
  LaunchOutcome outcome;
  std::optional<Clock::time_point> limit;  // when the next signal is due
  bool asked_to_end = false, told_to_end = false;
  const auto pass_on = [&](int number) {
    for (const detail::LaunchedProcess& process : processes) process.signal(number);
  };
  const auto grace = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(options.grace_seconds));
  const auto all = [&](auto is) { return std::ranges::all_of(processes, is); };
  while (!all([](const auto& process) { return process.is_over(); })) {
    std::vector<pollfd> polled{{signals.file(), POLLIN, 0}};
    for (const detail::LaunchedProcess& process : processes) process.add_to(polled);
    ::poll(polled.data(), polled.size(), limit ? 100 : -1);
    while (const int number = signals.next()) {
      asked_to_end = true;
      pass_on(number);
    }
    for (std::size_t rank = 0; rank < processes.size(); ++rank) {
      detail::LaunchedProcess& process = processes[rank];
      process.look(&polled[1 + 3 * rank], options.last_lines,
                   [&](bool is_error, const std::string& line) {
                     if (options.on_line) return options.on_line(rank, is_error, line);
                     std::fprintf(is_error ? stderr : stdout, "[%zu] %s\n", rank, line.c_str());
                     if (!is_error) std::fflush(stdout);
                   });
      if (!process.ended() || process.end().status == 0) continue;
      if (!outcome.first_failed) outcome.first_failed = rank;
      if (!asked_to_end && !limit) limit = Clock::now() + grace;
    }
    const bool all_ended = all([](const auto& process) { return process.ended(); });
    if (all_ended && !limit) limit = Clock::now() + grace;  // for what their children still hold
    if (!limit || Clock::now() < *limit) continue;
    if (all_ended)
      for (detail::LaunchedProcess& process : processes) process.close_streams();
    pass_on(std::exchange(told_to_end, true) ? SIGKILL : SIGTERM);
    limit = Clock::now() + grace;
  }
  for (const detail::LaunchedProcess& process : processes) outcome.ranks.push_back(process.end());
  return outcome;
}

}  // namespace dualagent
