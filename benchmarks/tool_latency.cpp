// Latency and throughput of the python tool beside `python3 -c` started for each call, in one run:
// CALLS calls one by one, and nine rounds of a second each in turn.
// Usage: tool_latency [CALLS]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
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

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
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
  return median(times);
}

/// Calls each second with two threads and no pause, over at least a second.
template <class Call>
double throughput(const Call& call) {
  std::atomic<int> calls{0};
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 2; ++thread)
      threads.emplace_back([&] {
        for (; milliseconds_since(start) < 1000.0; ++calls) expect(call());
      });
  }
  return 1000.0 * calls / milliseconds_since(start);
}

/// One way to run the program, and its calls each second in every round.
struct Side {
  std::string name;
  std::function<std::string()> call;
  std::size_t same_sandbox;  // the side that its rate is divided by, besides the first
  std::vector<double> rates = {};
};

const std::string kCode = "print(1 + 1)";

template <class Sandbox>
Side start_of(const std::string& name) {
  return {"python3 -c, " + name,
          [command = SandboxedCommand<Sandbox>()] {
            return command({"/usr/bin/python3", "-c", kCode}).output;
          },
          0};
}

template <class Sandbox>
void add_both(std::vector<Side>& sides, const std::string& name) {
  sides.push_back(start_of<Sandbox>(name));
  sides.push_back({"python tool, " + name,
                   [python = PythonInterpreter<Sandbox>()] { return python.run(kCode); },
                   sides.size() - 1});
}

/// The median over the rounds of a side's rate over another's in the same round.
std::string ratio(const Side& side, const Side& base) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < side.rates.size(); ++i)
    ratios.push_back(side.rates[i] / base.rates[i]);
  return std::to_string(median(ratios)).substr(0, 4) + "x";
}

int measure(int calls) {
  constexpr int kRounds = 9;
  std::vector<Side> sides = {start_of<Bare>("no sandbox")};
  add_both<Rlimits>(sides, "Rlimits");
  std::string why;
  if (bubblewrap_works(&why))
    add_both<Bubblewrap>(sides, "Bubblewrap");
  else
    std::printf("Bubblewrap: not measured: %s\n", why.c_str());
  for (int round = 0; round < kRounds; ++round)  // so that a machine that slows down slows all
    for (Side& side : sides) side.rates.push_back(throughput(side.call));
  std::printf("%-24s %13s %18s %12s %16s\n", "", "median warm", "two threads", "of no sandbox",
              "of same sandbox");
  for (const Side& side : sides) {
    const double latency = median_latency(side.call, calls, std::chrono::milliseconds(100));
    std::printf("%-24s %10.2f ms %10.1f calls/s %12s %16s\n", side.name.c_str(), latency,
                median(side.rates), ratio(side, sides[0]).c_str(),
                side.same_sandbox > 0 ? ratio(side, sides[side.same_sandbox]).c_str() : "-");
    std::fflush(stdout);
  }
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
