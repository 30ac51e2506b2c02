#include "dualagent/tools/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent::detail;

TEST_CASE("pipes and sockets are closed by exec, and sockets keep the borders of messages",
          "[tools]") {
  Pipe pipe;
  CHECK(write(pipe.write.get(), "abc", 3) == 3);
  std::array<char, 8> bytes{};
  CHECK(read(pipe.read.get(), bytes.data(), bytes.size()) == 3);
  SocketPair sockets;
  for (const int fd : {pipe.read.get(), pipe.write.get(), sockets.ours.get(), sockets.theirs.get()})
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(send(sockets.ours.get(), "ab", 2, 0) == 2);
  CHECK(send(sockets.ours.get(), "c", 1, 0) == 1);
  CHECK(recv(sockets.theirs.get(), bytes.data(), bytes.size(), 0) == 2);
  CHECK(recv(sockets.theirs.get(), bytes.data(), bytes.size(), 0) == 1);
}

TEST_CASE("a cloned child shares memory and is reaped once", "[tools]") {
  int shared = 0;
  const ChildProcess child = clone_child(
      [](void* pointer) {
        *static_cast<int*>(pointer) = 7;
        _exit(3);
        return 0;
      },
      &shared);
  wait_for_end(child.pidfd.get());
  CHECK(shared == 7);
  const std::optional<int> status = reap(child.pid);
  REQUIRE(status);
  CHECK(WIFEXITED(*status));
  CHECK(WEXITSTATUS(*status) == 3);
  CHECK_FALSE(reap(child.pid));  // somebody has it already
}

TEST_CASE("statuses of children are lost where a program ignores their end", "[tools]") {
  const auto before = signal(SIGCHLD, SIG_DFL);
  CHECK_FALSE(child_statuses_are_lost());
  signal(SIGCHLD, SIG_IGN);
  CHECK(child_statuses_are_lost());
  struct sigaction no_wait {};
  no_wait.sa_handler = SIG_DFL;
  no_wait.sa_flags = SA_NOCLDWAIT;
  sigaction(SIGCHLD, &no_wait, nullptr);
  CHECK(child_statuses_are_lost());
  signal(SIGCHLD, before);
  CHECK_THAT(error_of([] { throw_status_lost("prog"); }), ContainsSubstring("prog"));
}

namespace {

/// What a child does to end like `run_child` with this plan; its error and step come back in it.
int status_of(ChildPlan& plan) {
  const ChildProcess child = clone_child(run_child, &plan);
  return reap(child.pid).value_or(-1);
}
ChildPlan plan_of(std::vector<char*> argv) {
  ChildPlan plan;
  plan.argv = std::move(argv);
  plan.argv.push_back(nullptr);
  plan.environment = {nullptr};
  plan.directory = "/";
  plan.host = getpid();
  return plan;
}
char kTrue[] = "/bin/true", kMissing[] = "/no/such/program";

}  // namespace

TEST_CASE("a child that cannot be started names the step that failed", "[tools]") {
  ChildPlan plan = plan_of({kTrue});
  CHECK(status_of(plan) == 0);
  CHECK(std::string(plan.failed_step).empty());
  plan = plan_of({kMissing});
  CHECK(WEXITSTATUS(status_of(plan)) == 127);
  CHECK(std::string(plan.failed_step) == "execve");
  CHECK(plan.error == ENOENT);
  plan = plan_of({kTrue});
  plan.directory = "/no/such/folder";
  CHECK(WEXITSTATUS(status_of(plan)) == 127);
  CHECK(std::string(plan.failed_step) == "chdir");
  plan = plan_of({kTrue});
  plan.host = getpid() + 1;  // the host died, and another process adopted the child
  CHECK(WEXITSTATUS(status_of(plan)) == 127);
  CHECK(std::string(plan.failed_step) == "host");
}

TEST_CASE("marked processes are killed, and no others", "[tools]") {
  char sleep[] = "/bin/sleep", long_time[] = "1000";
  char marked[] = "DUALAGENT_TEST_MARK=1", other[] = "DUALAGENT_TEST_MARK=11";
  const auto start = [&](char* mark) {
    ChildPlan plan = plan_of({sleep, long_time});
    plan.environment = {mark, nullptr};
    return clone_child(run_child, &plan).pid;  // returns when it has become `sleep`
  };
  const pid_t first = start(marked), second = start(other);
  kill_marked("DUALAGENT_TEST_MARK=1");
  const std::optional<int> status = reap(first);
  REQUIRE(status);
  CHECK(WTERMSIG(*status) == SIGKILL);
  CHECK(waitpid(second, nullptr, WNOHANG) == 0);  // it still runs
  kill(second, SIGKILL);
  reap(second);
}

TEST_CASE("a marked process that has just begun is killed, too", "[tools]") {
  char sleep[] = "/bin/sleep", seconds[] = "20", mark[] = "DUALAGENT_TEST_MARK=1";
  ChildPlan plan = plan_of({sleep, seconds});
  plan.environment = {mark, nullptr};
  int missed = 0;
  for (int round = 0; round < 40 && missed == 0; ++round) {
    const pid_t child = clone_child(run_child, &plan).pid;  // returns in the middle of its exec
    kill_marked(mark);
    const std::optional<int> status = reap(child);  // of one that is missed after 20 seconds
    missed += status && WIFSIGNALED(*status) ? 0 : 1;
  }
  CHECK(missed == 0);
}

TEST_CASE("a private folder goes with all it holds, links are not followed", "[tools]") {
  const TemporaryFolder folder;
  namespace fs = std::filesystem;
  fs::permissions(folder.path(), fs::perms::all);
  const std::string left = in_child([&]() -> std::string {
    constexpr uid_t kNobody = 65534;  // permissions do not bind root
    if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) return kFaultImpossible;
    fs::create_directories(folder / "private/closed/inner");
    std::ofstream(folder / "private/closed/inner/f") << "x";
    std::ofstream(folder / "kept") << "x";
    fs::create_directories(folder / "outside");
    std::ofstream(folder / "outside/kept") << "x";
    fs::create_symlink(folder / "kept", folder / "private/link");
    fs::create_directory_symlink(folder / "outside", folder / "private/folder_link");
    fs::permissions(folder / "private/closed/inner", fs::perms::none);
    fs::permissions(folder / "private/closed", fs::perms::none);
    remove_private_folder((folder / "private").string());
    std::string names;
    for (const char* name : {"private", "kept", "outside/kept"})
      if (fs::exists(fs::symlink_status(folder / name))) names += std::string(name) + " ";
    return names;
  });
  if (left == kFaultImpossible) return;
  CHECK(left == "kept outside/kept ");
  CHECK_NOTHROW(remove_private_folder((folder / "missing").string()));
}
