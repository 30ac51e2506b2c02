#include "dualagent/tools/sandbox.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "dualagent/tools/sandboxed_process.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

bool holds(const std::vector<std::string>& words, const std::vector<std::string>& part) {
  return std::search(words.begin(), words.end(), part.begin(), part.end()) != words.end();
}

struct WithoutLimits {
  SandboxLaunch launch(const std::vector<std::string>&, SandboxRole) const { return {}; }
};
struct WithoutRole {
  SandboxLimits limits;
  SandboxLaunch launch(const std::vector<std::string>&) const { return {}; }
};

}  // namespace

TEST_CASE("a limit under which nothing runs is refused by name", "[tools]") {
  CHECK_NOTHROW(SandboxLimits{}.validate());
  const auto error = [](SandboxLimits limits) { return error_of([&] { limits.validate(); }); };
  CHECK_THAT(error({.wall_seconds = 0}), ContainsSubstring("wall_seconds"));
  CHECK_THAT(error({.wall_seconds = std::numeric_limits<double>::quiet_NaN()}),
             ContainsSubstring("wall_seconds"));
  CHECK_THAT(error({.cpu_seconds = 0}), ContainsSubstring("cpu_seconds"));
  CHECK_THAT(error({.memory_bytes = 0}), ContainsSubstring("memory_bytes"));
  CHECK_THAT(error({.max_processes = 0}), ContainsSubstring("max_processes"));
  CHECK_THAT(error({.file_bytes = 0}), ContainsSubstring("file_bytes"));
  CHECK_THAT(error({.output_bytes = 0}), ContainsSubstring("output_bytes"));
}

TEST_CASE("the largest limits are limits, too, and none wraps to a small one", "[tools]") {
  const SandboxLimits most{.cpu_seconds = std::numeric_limits<unsigned>::max(),
                           .memory_bytes = std::numeric_limits<std::uint64_t>::max(),
                           .max_processes = std::numeric_limits<unsigned>::max(),
                           .file_bytes = std::numeric_limits<std::uint64_t>::max(),
                           .output_bytes = std::numeric_limits<std::uint64_t>::max()};
  CHECK_NOTHROW(most.validate());
  const auto words = Bubblewrap{.limits = most}.launch({"/bin/true"}, SandboxRole::command).argv;
  CHECK(std::ranges::count(words, "--nproc=4294967296") == 1);
  CHECK(std::ranges::count(words, "9223372036854775807") == 2);   // of /tmp and /dev/shm
  CHECK(std::ranges::count(words, "18446744073709551615") == 0);  // bwrap refuses it
  const ProcessResult result = SandboxedCommand(Rlimits{.limits = most})({"/bin/echo", "runs"});
  CHECK(result.end == ProcessEnd::exited);
  CHECK(result.output == "runs\n");
}

TEST_CASE("a sandbox has limits and launches commands in a role", "[tools]") {
  CHECK(Sandbox<Bubblewrap>);
  CHECK(Sandbox<Rlimits>);
  CHECK_FALSE(Sandbox<WithoutLimits>);
  CHECK_FALSE(Sandbox<WithoutRole>);
}

TEST_CASE("programs are found in the system folders, or where a path says", "[tools]") {
  const std::string shell = detail::find_program("sh");
  CHECK(shell.front() == '/');
  CHECK(access(shell.c_str(), X_OK) == 0);
  CHECK(detail::find_program("/any/path") == "/any/path");
  CHECK_THAT(error_of([] { detail::find_program("no-such-program"); }),
             ContainsSubstring("no-such-program") && ContainsSubstring("Install it"));
}

TEST_CASE("Bubblewrap unshares everything and shows what is readable, read-only", "[tools]") {
  const Bubblewrap sandbox{.limits = {.max_processes = 7, .file_bytes = 4096},
                           .readable = {"/usr"},
                           .program = "/bin/true"};  // nothing is started here
  const SandboxLaunch launch = sandbox.launch({"/bin/echo", "a b"}, SandboxRole::command);
  CHECK(launch.argv.front() == "/bin/true");
  for (const char* word : {"--unshare-all", "--die-with-parent", "--new-session", "--clearenv"})
    CHECK(holds(launch.argv, {word}));
  CHECK(holds(launch.argv, {"--cap-drop", "ALL"}));
  CHECK(holds(launch.argv, {"--ro-bind-try", "/usr", "/usr"}));
  CHECK(holds(launch.argv, {"--size", "4096", "--tmpfs", "/tmp"}));
  CHECK(holds(launch.argv, {"--size", "4096", "--tmpfs", "/dev/shm"}));
  CHECK_FALSE(holds(launch.argv, {"--bind"}));
  CHECK_FALSE(holds(launch.argv, {"--share-net"}));
  // The command comes last, under a limit of one process more: the namespace's first.
  CHECK(holds(launch.argv, {"--nproc=8", "--", "/bin/echo", "a b"}));
  CHECK(launch.argv.back() == "a b");
  CHECK(launch.environment == std::vector<std::string>{"PATH=/usr/bin:/bin"});
  CHECK(launch.reports_namespace);
  CHECK_FALSE(launch.owns_all_processes);
  CHECK_FALSE(holds(launch.argv, {"--as-pid-1"}));
  const SandboxLaunch server = sandbox.launch({"/bin/echo"}, SandboxRole::server);
  CHECK(server.owns_all_processes);
  CHECK(holds(server.argv, {"--as-pid-1"}));
}

TEST_CASE("Rlimits gives each launch a private folder and a marker of its own", "[tools]") {
  const TemporaryFolder folder;
  const Rlimits sandbox{.limits = {.max_processes = 7}, .folder = folder.path().string()};
  const SandboxLaunch a = sandbox.launch({"sh", "-c", "true"}, SandboxRole::command);
  const SandboxLaunch b = sandbox.launch({"sh"}, SandboxRole::server);
  CHECK(a.argv == std::vector<std::string>{detail::find_program("sh"), "-c", "true"});
  CHECK(a.private_folder.starts_with(folder.path().string() + "/dualagent-"));
  CHECK(a.directory == a.private_folder);
  CHECK(std::filesystem::is_directory(a.private_folder));
  CHECK(a.private_folder != b.private_folder);
  CHECK(a.marker != b.marker);
  CHECK(holds(a.environment, {"HOME=" + a.private_folder}));
  CHECK(holds(a.environment, {a.marker}));
  CHECK(a.environment.size() == 5);
  CHECK(a.max_user_tasks >= 7);
  CHECK(b.max_user_tasks >= 8);  // the server is one more
  CHECK_FALSE(a.owns_all_processes);
  struct stat status {};
  REQUIRE(stat(a.private_folder.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  if (a.user) {
    CHECK(status.st_uid == *a.user);
    CHECK(*a.user != *b.user);
    CHECK(b.owns_all_processes);
  }
  CHECK_THAT(error_of([] { Rlimits{.folder = "/no/such"}.launch({"sh"}, SandboxRole::command); }),
             ContainsSubstring("no private folder") && ContainsSubstring("/no/such"));
}

TEST_CASE("user ids of sandboxes are those of no account, of one host and of one holder",
          "[tools]") {
  using Users = detail::SandboxUsers;
  CHECK(Users::first_of(0) == 1'000'000'000u);
  CHECK(Users::first_of(1) == 1'000'000'512u);
  // The last id of the largest process number is below 2^32 - 1, which means "no user".
  CHECK(std::uint64_t{Users::first_of(0x3FFFFF)} + 511 ==
        1'000'000'000 + (std::uint64_t{1} << 31) - 1);
  const std::shared_ptr<const uid_t> first = Users::take();
  if (first == nullptr) {
    WARN("this host cannot change its user");
    return;
  }
  std::vector<std::shared_ptr<const uid_t>> held{first};
  while (held.size() < Users::kPerHost) held.push_back(Users::take());
  std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return *a < *b; });
  CHECK(*held.front() == Users::first_of(getpid()));
  CHECK(*held.back() == Users::first_of(getpid()) + 511);
  CHECK(std::adjacent_find(held.begin(), held.end(),
                           [](const auto& a, const auto& b) { return *a == *b; }) == held.end());
  CHECK_THAT(error_of([] { Users::take(); }), ContainsSubstring("all 512 user ids"));
  const uid_t given_back = *held[100];
  held.erase(held.begin() + 100);
  CHECK(*Users::take() == given_back);
}
