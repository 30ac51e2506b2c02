// Rollouts of 2 KiB that an SqliteStore commits durably per second, by how many share a call and
// how many threads commit, beside the rate at which the disk flushes; then claims and
// acknowledgements.
//   store_bench [--folder FOLDER] [--seconds S]
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/store/sqlite_store.hpp"
#include "options.hpp"

namespace {

using namespace dualagent;

constexpr std::size_t kGroupSize = 8;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// 2 KiB when encoded: a prompt of 60 tokens and 208 sampled ones; no two are alike.
TrainingRollout rollout(const std::string& writer, std::size_t group, std::size_t member) {
  const RandomStream random = RandomStream::from_seed(group).child(member);
  std::vector<Token> prompt(60), tokens(208);
  std::vector<float> log_probs(tokens.size());
  std::uint64_t draw = 0;
  for (Token& token : prompt) token = static_cast<Token>(random.below(draw++, 49'152));
  for (Token& token : tokens) token = static_cast<Token>(random.below(draw++, 49'152));
  for (float& log_prob : log_probs) log_prob = -static_cast<float>(random.uniform(draw++));
  Context context;
  context.append(Provenance::prompt, prompt);
  context.append(BackendAccess::sampled(AgentRole::answerer, 1, tokens, log_probs));
  Rollout made{.task_id = "task", .group = group, .member = member};
  made.segments.push_back({.context = std::move(context)});
  return TrainingAccess::make({"run", writer, 0}, kGroupSize, std::move(made));
}

/// Flushes per second of appends of 4 KiB to a file.
double flush_rate(const std::filesystem::path& folder, double seconds) {
  const std::string path = folder / "flush.bin";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const std::vector<char> page(4096, 'x');
  const double begin = seconds_now();
  std::size_t count = 0;
  while (seconds_now() - begin < seconds) {
    if (::write(file, page.data(), page.size()) < 0 || ::fdatasync(file) != 0) {
      std::perror(path.c_str());
      std::exit(1);
    }
    ++count;
  }
  const double rate = static_cast<double>(count) / (seconds_now() - begin);
  ::close(file);
  std::filesystem::remove(path);
  return rate;
}

/// Rollouts per second that threads commit, `per_call` at a time; they are made before.
double commit_rate(const std::filesystem::path& folder, std::size_t threads, std::size_t per_call,
                   double seconds) {
  const std::filesystem::path path = folder / "commit.sqlite";
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path.string() + end);
  SqliteStore store(path,
                    {.limits = {.max_rollouts = 1'000'000, .max_bytes = std::size_t{1} << 34}});
  constexpr std::size_t kGroups = 4096;
  std::vector<std::vector<TrainingRollout>> of_thread(threads);
  for (std::size_t t = 0; t < threads; ++t)
    for (std::size_t i = 0; i < kGroups * kGroupSize / threads; ++i)
      of_thread[t].push_back(rollout(std::to_string(t), i / kGroupSize, i % kGroupSize));
  std::atomic<std::size_t> stored{0};
  const double begin = seconds_now();
  {
    std::vector<std::jthread> running;
    for (std::size_t t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        const std::span<const TrainingRollout> own(of_thread[t]);
        for (std::size_t at = 0; at + per_call <= own.size() && seconds_now() - begin < seconds;
             at += per_call)
          stored += store.commit(own.subspan(at, per_call)).stored;
      });
  }
  return static_cast<double>(stored) / (seconds_now() - begin);
}

/// Rollouts per second that one reader claims and acknowledges, `groups` at a time.
double read_rate(const std::filesystem::path& folder, std::size_t groups) {
  const std::filesystem::path path = folder / "read.sqlite";
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path.string() + end);
  SqliteStore store(path);
  constexpr std::size_t kGroups = 512;
  std::vector<TrainingRollout> all;
  for (std::size_t i = 0; i < kGroups * kGroupSize; ++i)
    all.push_back(rollout("writer", i / kGroupSize, i % kGroupSize));
  store.commit(all);
  const double begin = seconds_now();
  std::size_t read = 0;
  for (;;) {
    const ClaimResult claimed =
        store.claim({.run = "run", .reader = "reader", .max_groups = groups});
    if (claimed.groups.empty()) break;
    std::vector<Lease> leases;
    for (const ClaimedGroup& one : claimed.groups) {
      leases.push_back(one.lease);
      read += one.rollouts.size();
    }
    store.acknowledge(leases);
  }
  return static_cast<double>(read) / (seconds_now() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::filesystem::path folder = options.text("--folder", ".");
  const double seconds = std::stod(options.text("--seconds", "3"));
  std::printf("a rollout is %zu bytes\n", encode_training_rollout(rollout("w", 0, 0)).size());
  std::printf("%-52s %10.0f/s\n", "flushes (4 KiB appended, fdatasync)",
              flush_rate(folder, seconds));
  struct Shape {
    std::size_t threads, per_call;
  };
  double at_once = 0;
  for (const Shape& shape :
       {Shape{1, 1}, Shape{1, 8}, Shape{1, 64}, Shape{1, 256}, Shape{8, 1}, Shape{8, 8}}) {
    const double rate = commit_rate(folder, shape.threads, shape.per_call, seconds);
    if (shape.threads == 1 && shape.per_call == 64) at_once = rate;
    std::printf("rollouts committed: %zu thread%s, %3zu in a call %*s %10.0f/s\n", shape.threads,
                shape.threads == 1 ? "" : "s", shape.per_call, shape.threads == 1 ? 10 : 9, "",
                rate);
  }
  for (const std::size_t groups : {1U, 8U})
    std::printf("rollouts claimed and acknowledged, %zu group%s of 8 %*s %10.0f/s\n", groups,
                groups == 1 ? " " : "s", 3, "", read_rate(folder, groups));
  std::printf("%-52s %10.0f/s\n", "flushes, once more", flush_rate(folder, seconds));
  std::printf("bar: 2000 rollouts/s, 64 in a call: %s\n", at_once >= 2000 ? "reached" : "missed");
  for (const char* end : {"commit.sqlite", "read.sqlite"})
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(folder / (std::string(end) + suffix));
  return at_once >= 2000 ? 0 : 1;
}
