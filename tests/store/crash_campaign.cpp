// Nothing is lost and nothing doubled: processes that use an SqliteStore are killed at random
// moments, and its disk loses its power, while writes are torn, refused or not flushed.
//   crash_campaign [--kills N] [--cuts N] [--seed S] [--folder EMPTY_FOLDER]
// 50 kills and 50 losses of power take seconds; the whole campaign: --kills 10000 --cuts 10000.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>

#include "store/campaign_power.hpp"
#include "store/campaign_processes.hpp"
#include "support/temporary_folder.hpp"

namespace {

void say(const char* what, const campaign::Verdict& verdict) {
  std::printf("%s: %zu groups committed, lost %zu, doubled %zu, changed %zu\n", what,
              verdict.groups, verdict.lost, verdict.doubled, verdict.changed);
}

constexpr FaultyVfs::Faults kFaults{
    .really_sync = false, .eio = 0.01, .full = 0.01, .torn = 0.01, .fsync = 0.01};

bool kills_lose_nothing(const std::filesystem::path& folder, std::size_t kills,
                        std::uint64_t seed) {
  campaign::Processes processes(folder, campaign::SharedFile{folder}, seed, kFaults);
  const campaign::Verdict verdict = processes.run(kills);
  std::printf("%zu kills, %zu of them in the middle of a write or flush\n", processes.kills(),
              processes.deaths_in_a_write());
  say("kills", verdict);
  return verdict.is_clean() && (kills < 50 || processes.deaths_in_a_write() > 0);
}

bool power_cuts_lose_nothing(const std::filesystem::path& folder, std::size_t cuts,
                             std::uint64_t seed) {
  FaultyVfs::Faults faults = kFaults;
  faults.seed = seed;
  campaign::PowerCuts power(folder, faults);
  const campaign::Verdict verdict = power.run(cuts);
  std::printf(
      "%zu losses of power, %zu other faults, %zu calls failed, %zu refused, %zu rollouts "
      "repeated\n",
      cuts, power.injected(), power.errors(), power.full(), power.repeated());
  say("power", verdict);
  return verdict.is_clean();
}

/// The campaign must notice a disk that says it has flushed what it has not: by its verdict, or by
/// what SQLite says of the file.
bool a_lying_disk_is_noticed(const std::filesystem::path& folder, std::uint64_t seed) {
  campaign::PowerCuts power(folder, {.really_sync = false, .lies = true, .seed = seed});
  try {
    const campaign::Verdict verdict = power.run(20);
    say("a disk that lies", verdict);
    return !verdict.is_clean();
  } catch (const dualagent::SqliteError& error) {
    std::printf("a disk that lies: %s\n", error.what());
    return (error.code() & 0xFF) == SQLITE_CORRUPT || (error.code() & 0xFF) == SQLITE_NOTADB;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::string> options{
      {"--kills", "50"}, {"--cuts", "50"}, {"--seed", "1"}, {"--folder", ""}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (options.count(argv[i]) == 0) {
      std::fprintf(stderr, "there is no option %s\n", argv[i]);
      return 2;
    }
    options[argv[i]] = argv[i + 1];
  }
  const TemporaryFolder own;
  const std::filesystem::path root =
      options["--folder"].empty() ? own.path() : std::filesystem::path(options["--folder"]);
  for (const char* part : {"kills", "power", "lies"})
    std::filesystem::create_directory(root / part);
  const std::uint64_t seed = std::stoull(options["--seed"]);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const bool kills = kills_lose_nothing(root / "kills", std::stoull(options["--kills"]), seed);
  const bool power = power_cuts_lose_nothing(root / "power", std::stoull(options["--cuts"]), seed);
  const bool lies = a_lying_disk_is_noticed(root / "lies", seed);
  if (!lies) std::printf("the campaign does not notice a disk that lies\n");
  return kills && power && lies ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "crash_campaign: %s\n", error.what());
  return 1;
}
