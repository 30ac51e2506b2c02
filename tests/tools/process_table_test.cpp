#include "dualagent/tools/process_table.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent::detail;

TEST_CASE("a file of /proc is read to its end, whatever its size", "[tools]") {
  const std::string status = read_proc_file("/proc/self/status");
  CHECK_THAT(status, ContainsSubstring("\nPid:\t" + std::to_string(getpid()) + "\n"));
  // The kernel gives whole lines only, less than was asked for; the stack is one of the last ones.
  CHECK_THAT(read_proc_file("/proc/self/smaps"), ContainsSubstring("[stack]"));
  const TemporaryFolder folder;
  std::string bytes;
  for (int i = 0; i < 3000; ++i) bytes += std::to_string(i);  // more than two of its buffers
  std::ofstream(folder / "f") << bytes;
  CHECK(read_proc_file((folder / "f").string()) == bytes);
  CHECK(read_proc_file((folder / "missing").string()) == "");
  CHECK(can_read_proc_file("/proc/self/environ"));
  CHECK(!can_read_proc_file((folder / "missing").string()));
}

TEST_CASE("a number of a status is that of the line that begins with its key", "[tools]") {
  const std::string status = "Name:\tUid: 7\nUid:\t1000\t5\nThreads:\t12\n";
  CHECK(status_number(status, "Uid:") == 1000);
  CHECK(status_number(status, "Threads:") == 12);
  CHECK(status_number(status, "Gid:") == -1);
  CHECK(status_number("Uid:\t3", "Uid:") == 3);  // the first line
  CHECK(status_number("", "Uid:") == -1);
}

TEST_CASE("an environment that reads as empty is to come while exec has not said where it lies",
          "[tools]") {
  // Fields 3 to 52 of /proc/PID/stat, of which 23 is the size of the memory.
  const auto stat = [](const std::string& memory, const std::string& begin,
                       const std::string& end) {
    std::string text = "7 (a) b) R";
    for (int field = 4; field <= 52; ++field)
      text += " " + (field == 23 ? memory : field == 50 ? begin : field == 51 ? end : "9");
    return text + "\n";
  };
  CHECK(environment_is_to_come(stat("4096", "0", "0")));
  CHECK(environment_is_to_come(stat("4096", "100", "0")));
  CHECK(environment_is_to_come(stat("4096", "100", "200")));   // it was read before it was there
  CHECK(!environment_is_to_come(stat("4096", "100", "100")));  // has none
  CHECK(!environment_is_to_come(stat("0", "0", "0")));         // of the kernel, or ended
  CHECK(!environment_is_to_come(""));
  CHECK(!environment_is_to_come("7 (a) R 1 2"));
}

TEST_CASE("every process is visited once, this one among them", "[tools]") {
  int own = 0;
  for_each_process([&](pid_t pid, const std::string& folder) {
    if (folder != "/proc/" + std::to_string(pid)) FAIL(folder);
    own += pid == getpid() ? 1 : 0;
  });
  CHECK(own == 1);
}

TEST_CASE("processes of a user are counted, apart from those that wait to be reaped", "[tools]") {
  if (geteuid() != 0) {
    WARN("only root can start a process of another user");
    return;
  }
  const uid_t nobody_has = 1'999'999'999;
  CHECK(tasks_of_user(nobody_has).running == 0);
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const char failed = setresuid(nobody_has, nobody_has, nobody_has) != 0 ? 'f' : 'r';
    if (write(ready[1], &failed, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char letter = 0;
  REQUIRE(read(ready[0], &letter, 1) == 1);
  CHECK(letter == 'r');
  CHECK(tasks_of_user(nobody_has).running == 1);
  CHECK(tasks_of_user(nobody_has).ended == 0);
  kill(child, SIGKILL);
  siginfo_t info{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
  CHECK(tasks_of_user(nobody_has).running == 0);
  CHECK(tasks_of_user(nobody_has).ended == 1);
  waitpid(child, nullptr, 0);
  CHECK(tasks_of_user(nobody_has).ended == 0);
  close(ready[0]);
  close(ready[1]);
}
