// Latency and throughput of the python tool beside `python3 -c` started for each call, in one run.
// Usage: tool_latency [CALLS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/tools/python_interpreter.hpp"

using namespace dualagent;

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// What a trainer without a sandbox does.
struct Bare {
  SandboxLimits limits{};
  SandboxLaunch launch(const std::vector<std::string>& command, SandboxRole) const {
    return {.argv = command, .environment = {"PATH=/usr/bin:/bin"}};
  }
};

void expect(const std::string& text) {
  if (text == "2\n") return;
  std::fprintf(stderr, "tool_latency: a call answered '%s'\n", text.c_str());
  std::exit(1);
}

/// Median milliseconds of one call at a time, each after a pause that lets the pool refill.
template <class Call>
double median_latency(const Call& call, int calls, std::chrono::milliseconds pause) {
  std::vector<double> times;
  for (int i = 0; i < calls; ++i) {
    std::this_thread::sleep_for(pause);
    const auto start = Clock::now();
    expect(call());
    times.push_back(milliseconds_since(start));
  }
  std::nth_element(times.begin(), times.begin() + calls / 2, times.end());
  return times[static_cast<std::size_t>(calls / 2)];
}

/// Calls each second with two threads and no pause.
template <class Call>
double throughput(const Call& call, int calls) {
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 2; ++thread)
      threads.emplace_back([&] {
        for (int i = 0; i < calls / 2; ++i) expect(call());
      });
  }
  return 1000.0 * (calls / 2 * 2) / milliseconds_since(start);
}

/// Prints a line, with the rate over `base` where there is one; returns the rate.
template <class Call>
double report(const std::string& name, const Call& call, int calls, double bare, double sandboxed) {
  const double latency = median_latency(call, calls, std::chrono::milliseconds(100));
  const double rate = throughput(call, calls);
  const auto ratio = [&](double base) {
    return base > 0 ? std::to_string(rate / base).substr(0, 4) + "x" : std::string("-");
  };
  std::printf("%-24s %10.2f ms %10.1f calls/s %12s %16s\n", name.c_str(), latency, rate,
              ratio(bare).c_str(), ratio(sandboxed).c_str());
  std::fflush(stdout);
  return rate;
}

const std::string kCode = "print(1 + 1)";

template <class Sandbox>
double report_start(const std::string& name, int calls, double bare) {
  const SandboxedCommand<Sandbox> command;
  return report(
      "python3 -c, " + name,
      [&] {
        return command({"/usr/bin/python3", "-c", kCode}).output;
      },
      calls, bare, 0);
}

template <class Sandbox>
void report_both(const std::string& name, int calls, double bare) {
  const double sandboxed = report_start<Sandbox>(name, calls, bare);
  const PythonInterpreter<Sandbox> python;
  report(
      "python tool, " + name, [&] { return python.run(kCode); }, calls, bare, sandboxed);
}

int measure(int calls) {
  std::printf("%-24s %13s %18s %12s %16s\n", "", "median warm", "two threads", "of no sandbox",
              "of same sandbox");
  const double bare = report_start<Bare>("no sandbox", calls, 0);
  report_both<Rlimits>("Rlimits", calls, bare);
  std::string why;
  if (bubblewrap_works(&why))
    report_both<Bubblewrap>("Bubblewrap", calls, bare);
  else
    std::printf("Bubblewrap: not measured: %s\n", why.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return measure(argc > 1 ? std::max(2, std::atoi(argv[1])) : 100);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tool_latency: %s\n", error.what());
    return 1;
  }
}
