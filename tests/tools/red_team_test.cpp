// What a hostile program may try, against PythonInterpreter under both sandboxes: each attempt is
// contained and becomes text. Limits are small, so that a hole does not harm the machine.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/tools/python_interpreter.hpp"
#include "support/catch.hpp"
#include "support/sandboxes.hpp"
#include "support/sanitizers.hpp"

using namespace dualagent;

namespace {

template <class S>
PythonInterpreter<S> small(double wall_seconds = 20.0) {
  return PythonInterpreter<S>({.sandbox = {.limits = {.wall_seconds = wall_seconds,
                                                      .cpu_seconds = 1,
                                                      .memory_bytes = 192u << 20,
                                                      .max_processes = 6,
                                                      .file_bytes = 1u << 20,
                                                      .output_bytes = 8192}},
                               .interpreters = 1});
}

bool has_own_user() { return detail::SandboxUsers::take() != nullptr; }

/// Processes of this test's children and of sandbox users that are alive; zombies that wait for
/// init are not.
std::size_t processes_left() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream lines(entry.path() / "status");
    long parent = 0, user = 0;
    bool zombie = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("PPid:", 0) == 0) parent = std::atol(line.c_str() + 5);
      if (line.rfind("Uid:", 0) == 0) user = std::atol(line.c_str() + 4);
      if (line.rfind("State:", 0) == 0) zombie = line.find("Z (") != std::string::npos;
    }
    const long own = detail::SandboxUsers::first_of(getpid());
    const bool sandboxed = user >= own && user < own + detail::SandboxUsers::kPerHost;
    count += parent == getpid() || (sandboxed && !zombie);
  }
  return count;
}

std::size_t entries(const std::filesystem::path& folder, const std::string& prefix) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    count += entry.path().filename().string().rfind(prefix, 0) == 0;
  return count;
}

}  // namespace

TEMPLATE_TEST_CASE("greedy programs meet a limit and say which", "[tools][redteam]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const auto python = small<TestType>();
  CHECK_THAT(python.run("while True: pass"),
             ContainsSubstring("[killed: it used more than 1 s of CPU time]"));
  CHECK_THAT(python.run("x = bytearray(1 << 30)"), ContainsSubstring("MemoryError"));
  CHECK_THAT(python.run("x = []\nwhile True: x.append(bytearray(1 << 20))"),
             ContainsSubstring("MemoryError"));
  CHECK_THAT(python.run("while True: print('spam')"),
             ContainsSubstring("[killed: it printed more than 8192 bytes]"));
  const std::string file = python.run("f = open('big', 'wb')\nwhile True: f.write(bytes(65536))");
  CHECK(file.find("OSError: [Errno") != std::string::npos);  // 27 too large, 28 no space
  const std::string deep = python.run("def f(n): return f(n + 1)\nf(0)");
  CHECK_THAT(deep, ContainsSubstring("RecursionError"));
  const std::string crash = python.run(
      "import sys\nsys.setrecursionlimit(10**9)\n"
      "class A:\n  def __repr__(self): return repr(self)\nrepr(A())");
  CHECK_THAT(crash,
             ContainsSubstring("[killed by the signal SIGSEGV, as by too deep a recursion]") ||
                 ContainsSubstring("MemoryError") ||
                 ContainsSubstring("RecursionError"));  // Python 3.12 limits C's recursion itself
}

TEMPLATE_TEST_CASE("hostile bytes in and out become readable text", "[tools][redteam]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const auto python = small<TestType>();
  CHECK(python.run("import sys\nsys.stdout.buffer.write(bytes([0xff, 0, 65, 0xc3, 0xa9]))") ==
        "\xEF\xBF\xBD\xEF\xBF\xBD"
        "Aé");
  const std::string source = "x = '" + std::string(10u << 20, 'y') + "'\nprint(len(x))";
  CHECK(python.run(source) == "10485760\n");
  CHECK_THAT(python.run(std::string(10u << 20, '(')), ContainsSubstring("Error"));
  CHECK_THAT(python.run(std::string("print(1)\0", 9)), ContainsSubstring("null bytes"));
}

TEMPLATE_TEST_CASE("stopping itself or closing its descriptors gains nothing", "[tools][redteam]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const auto python = small<TestType>(1.0);
  CHECK(python.run("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)") ==
        "[killed: it ran longer than 1 s]");
  CHECK(python.run("import os, time\nos.closerange(0, 256)\ntime.sleep(1000)") ==
        "[killed: it ran longer than 1 s]");
  const std::string flood = python.run("import os\nx = [os.dup(1) for _ in range(1000)]");
  CHECK_THAT(flood, ContainsSubstring("Too many open files"));
}

TEMPLATE_TEST_CASE("the host's environment and private files cannot be read", "[tools][redteam]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  setenv("DUALAGENT_TEST_SECRET", "hunter2", 1);
  const auto python = small<TestType>();
  const std::string result = python.run(
      "import os, glob\nprint(dict(os.environ))\n"
      "for p in glob.glob('/proc/*/environ'):\n  try: print(open(p, 'rb').read())\n"
      "  except OSError: pass\n"
      "for p in ('/etc/shadow', '/root', '/home'):\n"
      "  try: print('LEAK', p, os.listdir(p) if os.path.isdir(p) else open(p).read())\n"
      "  except OSError: pass\n");
  unsetenv("DUALAGENT_TEST_SECRET");
  CHECK_THAT(result, ContainsSubstring("LANG"));
  if (std::is_same_v<TestType, Bubblewrap> || has_own_user()) {
    CHECK(result.find("hunter2") == std::string::npos);
    CHECK(result.find("LEAK /etc/shadow") == std::string::npos);
    CHECK(result.find("LEAK /root") == std::string::npos);
  }
}

TEMPLATE_TEST_CASE("nothing outside is written and no host process is signalled",
                   "[tools][redteam]", Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  if (std::is_same_v<TestType, Rlimits> && !has_own_user()) {
    std::cout << "skipped: Rlimits contains writes and signals for a root host only\n";
    return;
  }
  char folder[] = "/tmp/red-team-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/escaped";
  const auto python = small<TestType>();
  const std::string written = python.run(
      "import os\nfor p in ('" + path + "', '/usr/escaped', '/etc/escaped', '/escaped'):\n" +
      "  try: open(p, 'w').close(); print('WROTE', p)\n  except OSError as e: print(e)\n"
      "os.symlink('" +
      folder +
      "', 'link')\n"
      "try: open('link/escaped', 'w').close(); print('WROTE')\nexcept OSError as e: print(e)\n");
  CHECK(written.find("WROTE") == std::string::npos);
  CHECK(!std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
  const std::string host = std::to_string(getpid());
  CHECK_THAT(python.run("import os\ntry: os.kill(" + host +
                        ", 9)\nexcept OSError as e: print(e)\nprint('end')"),
             ContainsSubstring("end"));  // and this test goes on
}

TEMPLATE_TEST_CASE("attacks on the interpreter's server reach no later program", "[tools][redteam]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const auto python = small<TestType>(3.0);
  // Else the user's other processes are seen as well, and the user's keys are there to stay.
  const bool alone = std::is_same_v<TestType, Bubblewrap> || has_own_user();
  if (!alone) std::cout << "skipped: processes and keys left, which are not the sandbox's alone\n";
  const std::string key_calls = std::to_string(SYS_add_key) + ", " + std::to_string(SYS_keyctl);
  const std::string probe =
      "import ctypes, os, resource\nlibc = ctypes.CDLL(None)\nadd_key, keyctl = " + key_calls +
      "\nalone = " + (alone ? "True" : "False") +
      "\n"
      "def mine(p):\n"
      "  try: return os.stat('/proc/' + p).st_uid == os.getuid()\n"
      "  except OSError: return False  # a process of the host that has just ended\n"
      "print(os.listdir('.'), oct(os.stat('.').st_mode), [x for x in os.listxattr('.')\n"
      "       if x.startswith('user.')], resource.getrlimit(resource.RLIMIT_NOFILE)[0],\n"
      "      os.getpriority(0, 0), libc.mq_open(b'/left', 0),\n"
      "      alone and libc.syscall(keyctl, 11, -4, 0, 0),\n"
      "      alone and [p for p in os.listdir('/proc') if p.isdigit() and p != str(os.getpid())\n"
      "       and p != str(os.getppid()) and mine(p)],\n"
      "      os.path.exists(group := '/proc/self/autogroup') and open(group).read().split()[1:])\n";
  const std::string clean = python.run(probe);
  const std::string keys = clean.substr(clean.find("-1 ") + 3, 2);
  CHECK((keys == "0 " || keys == "-1" || !alone));  // none, or no keys at all here
  CHECK_THAT(clean, ContainsSubstring("[] 256 " + std::to_string(getpriority(PRIO_PROCESS, 0)) +
                                      " -1 " + keys));
  const std::vector<std::string> attacks = {
      "import os\nos.kill(os.getppid(), 9)",
      "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)",
      "import os\nopen('/proc/%d/mem' % os.getppid(), 'r+b')\nprint('LE' + 'AK')",
      "import os\nos.listdir('/proc/%d/fd' % os.getppid())\nprint('LE' + 'AK')",
      "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (16, 16))",
      "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
      "import os\nos.system('echo 19 > /proc/self/autogroup')",
      "import os\nos.setpgid(0, os.getpgid(os.getppid()))\nos.killpg(0, 9)",
      "open('left', 'w').write('x')",
      "import os\nos.makedirs('a/b')\nos.chmod('a', 0)",
      "import ctypes\nctypes.CDLL(None).shmget(7, 4096, 0o1666)",
      "import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(1000)",
      "import os\nos.chmod('.', 0o500)",
      "import os\nos.setxattr('.', 'user.left', b'x')",
      "import ctypes\nctypes.CDLL(None).mq_open(b'/left', 0o102, 0o600, None)",
      "import ctypes\nadd_key, keyctl = " + key_calls +
          "\nctypes.CDLL(None).syscall(add_key, b'user', b'left', b'x', 1, -4)",
      "import os\nfor fd in range(3, 256):\n  try: os.write(fd, bytes(5)); print('LE' + 'AK', fd)\n"
      "  except OSError: pass"};
  if constexpr (std::is_same_v<TestType, Bubblewrap>) {  // else it is the host's
    const std::string shared = "import os\nopen('/dev/shm/left', 'w').write('x')\n";
    for (const char* change : {"", "os.chmod('/dev/shm', 0o500)", "os.chmod('/dev/shm', 0)"}) {
      INFO(change);
      CHECK(python.run(shared + change + "\nprint('done')") == "done\n");
      CHECK(python.run(
                "import os\nprint(os.listdir('/dev/shm'), oct(os.stat('/dev/shm').st_mode))") ==
            "[] 0o40755\n");
    }
  }
  for (const std::string& attack : attacks) {
    if (!alone && attack.find("add_key") != std::string::npos) continue;
    INFO(attack);
    CHECK(python.run(attack).find("LEAK") == std::string::npos);
    CHECK(python.run(probe) == clean);
  }
}

TEST_CASE("a loopback listener of the host is out of reach", "[tools][redteam]") {
  if (!runs_here<Bubblewrap>()) return;
  const detail::FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(listener.get(), any, size) == 0);
  REQUIRE(listen(listener.get(), 1) == 0);
  REQUIRE(getsockname(listener.get(), any, &size) == 0);
  const std::string code = "import socket\nsocket.create_connection(('127.0.0.1', " +
                           std::to_string(ntohs(address.sin_port)) + "), 2)\nprint('in')";
  CHECK_THAT(small<Bubblewrap>().run(code), ContainsSubstring("refused"));
  CHECK(small<Rlimits>().run(code) == "in\n");  // what docs/tools.md says Rlimits cannot contain
}

TEMPLATE_TEST_CASE("many processes meet the limit and none is left", "[tools][redteam]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const auto python = small<TestType>(3.0);
  const std::string result = python.run(
      "import os, time\nn = 0\ntry:\n  for _ in range(40):\n    if os.fork() == 0: "
      "time.sleep(100)\n"
      "    n += 1\nexcept OSError as e: print(e)\nprint(n)");
  CHECK_THAT(result, ContainsSubstring("Resource temporarily unavailable"));
  const int count = std::atoi(result.substr(result.find('\n') + 1).c_str());
  CHECK(count >= 3);
  CHECK(count <= 6);
}

TEMPLATE_TEST_CASE("no process, descriptor or file outlives its call", "[tools][redteam]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const std::size_t descriptors = entries("/proc/self/fd", "");
  const std::size_t files = entries("/tmp", "dualagent-");
  {
    const auto python = small<TestType>(3.0);
    const std::string daemon = python.run(
        "import os, time\nprint('start')\nif os.fork() == 0:\n  os.setsid()\n"
        "  if os.fork() == 0:\n    os.closerange(0, 256)\n    os.chdir('/')\n"
        "    time.sleep(1000)\n  os._exit(0)\nos.wait()\n"
        "os.makedirs('a/b')\nopen('a/b/c', 'w').close()\nos.chmod('a/b', 0)\nos.chmod('a', 0)");
    CHECK(daemon == "start\n");
    const std::string bomb =
        python.run("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass");
    CHECK_THAT(bomb, ContainsSubstring("[killed"));
  }
  CHECK(processes_left() == 0);
  CHECK(entries("/proc/self/fd", "") == descriptors);
  CHECK(entries("/tmp", "dualagent-") == files);
}

TEST_CASE("a program that is killed does not run on", "[tools][redteam]") {
  const std::string said =  // as a user of the host its processes are found by their group alone
      small<Rlimits>(0.5).run("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)");
  CHECK_THAT(said, ContainsSubstring("[killed"));
  const std::string status = "/proc/" + std::to_string(std::stol(said)) + "/status";
  const auto runs = [&] {  // not gone, nor a zombie that waits for init
    const std::string text = detail::read_proc_file(status);
    return !text.empty() && text.find("\nState:\tZ") == std::string::npos;
  };
  for (int i = 0; i < 500 && runs(); ++i)
    usleep(10'000);  // a killed process ends when it is next run
  CHECK_FALSE(runs());
}

TEST_CASE("the kernel forgets the keys of a sandbox's user", "[tools][redteam]") {
  if (!has_own_user()) return;
  small<Rlimits>().run("import ctypes\nlibc = ctypes.CDLL(None)\nlibc.syscall(" +
                       std::to_string(SYS_add_key) + ", b'user', b'left', b'x', 1, -4)\n" +
                       "libc.syscall(" + std::to_string(SYS_keyctl) + ", 22, -1, -4)");
  const auto kept = [] {
    std::size_t users = 0;
    const std::uint32_t own = detail::SandboxUsers::first_of(getpid());
    for (std::uint32_t i = 0; i < detail::SandboxUsers::kPerHost; ++i)
      users += detail::has_keys(own + i);
    return users;
  };
  for (int i = 0; i < 500 && kept() > 0; ++i)
    usleep(10'000);  // a worker of the kernel removes them
  CHECK(kept() == 0);
}

TEMPLATE_TEST_CASE("10,000 calls on 32 threads leave no process, file or descriptor",
                   "[tools][redteam][many_calls]", Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  if (std::is_same_v<TestType, Rlimits> && !has_own_user()) {
    std::cout << "skipped: without a user id of its own each call starts an interpreter\n";
    return;
  }
  constexpr std::size_t kThreads = 32, kCalls = random_cases(10'000);
  const std::size_t descriptors = entries("/proc/self/fd", "");
  const std::size_t files = entries("/tmp", "dualagent-");
  [[maybe_unused]] const std::string before = detail::read_proc_file("/proc/self/status");
  std::array<std::size_t, kThreads> wrong{};
  {
    PythonOptions<TestType> options{.interpreters = 8};
    options.sandbox.limits.wall_seconds =
        120.0;  // the machine may be slow; nothing here is endless
    const PythonInterpreter<TestType> python(options);
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&python, &wrong, thread] {
        for (std::size_t i = thread; i < kCalls; i += kThreads)
          wrong[thread] +=
              python.run("print(" + std::to_string(i) + " * 3)") != std::to_string(3 * i) + "\n";
      });
  }
  CHECK(wrong == std::array<std::size_t, kThreads>{});
  CHECK(processes_left() == 0);
  CHECK(entries("/proc/self/fd", "") == descriptors);
  CHECK(entries("/tmp", "dualagent-") == files);
#if DUALAGENT_UNDER_ADDRESS_SANITIZER
  std::cout << "skipped: the sanitizer keeps freed memory, so that growth says nothing\n";
#else
  const std::string after = detail::read_proc_file("/proc/self/status");
  CHECK(detail::status_number(after, "VmRSS:") <
        detail::status_number(before, "VmRSS:") + 64 * 1024);  // KiB
#endif
}
