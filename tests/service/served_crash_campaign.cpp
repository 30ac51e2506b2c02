// As tests/store/crash_campaign.cpp, over HTTP: the store's server is killed as well, and its disk
// fails.
//   served_crash_campaign [--kills N] [--seed S] [--folder EMPTY_FOLDER]
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "dualagent/service/http_store.hpp"
#include "dualagent/service/store_service.hpp"
#include "store/campaign_processes.hpp"
#include "support/http_server.hpp"
#include "support/temporary_folder.hpp"

namespace {

struct OverHttp {
  static constexpr bool has_server = true;
  using Store = dualagent::HttpStore;

  std::filesystem::path folder;
  int port = 0;

  std::unique_ptr<Store> open(const FaultyVfs&, std::size_t) const {
    return std::make_unique<Store>(
        dualagent::HttpStoreOptions{.url = "http://127.0.0.1:" + std::to_string(port),
                                    .api_key_variable = "DUALAGENT_TEST_STORE",
                                    .timeout_seconds = 20,
                                    .backoff_seconds = 1e-3,
                                    .max_backoff_seconds = 0.02});
  }

  /// Until it is killed.
  bool serve(const FaultyVfs& disk, std::size_t log_pages) const {
    const auto store = campaign::SharedFile{folder}.open(disk, log_pages);
    dualagent::StoreService service(*store, {.port = port, .token = "secret"});
    service.start();
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
};

int free_port() { return std::stoi(http_server::ClosedPort().root().substr(17)); }

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::string> options{{"--kills", "30"}, {"--seed", "1"}, {"--folder", ""}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (options.count(argv[i]) == 0) {
      std::fprintf(stderr, "there is no option %s\n", argv[i]);
      return 2;
    }
    options[argv[i]] = argv[i + 1];
  }
  ::setenv("DUALAGENT_TEST_STORE", "secret", 1);
  const TemporaryFolder own;
  const std::filesystem::path folder =
      options["--folder"].empty() ? own.path() : std::filesystem::path(options["--folder"]);
  campaign::Processes processes(
      folder, OverHttp{folder, free_port()}, std::stoull(options["--seed"]),
      {.really_sync = false, .eio = 0.01, .full = 0.01, .torn = 0.01, .fsync = 0.01});
  const campaign::Verdict verdict = processes.run(std::stoull(options["--kills"]));
  std::printf(
      "%zu kills; the server died %zu times, %zu times by itself in the middle of a write or "
      "flush\n",
      processes.kills(), processes.deaths_of_server(), processes.deaths_in_a_write());
  std::printf("%zu groups committed, lost %zu, doubled %zu, changed %zu\n", verdict.groups,
              verdict.lost, verdict.doubled, verdict.changed);
  const bool is_hit = processes.kills() < 30 || processes.deaths_of_server() > 0;
  if (!is_hit) std::printf("the server was never killed\n");
  return verdict.is_clean() && is_hit ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "served_crash_campaign: %s\n", error.what());
  return 1;
}
