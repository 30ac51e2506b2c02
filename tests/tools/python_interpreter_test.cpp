#include "dualagent/tools/python_interpreter.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/tools/tool_box.hpp"
#include "laws/tool_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/sandboxes.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

template <class S>
PythonOptions<S> small(std::size_t waiting = 1) {
  return {.sandbox = {.limits = {.wall_seconds = 20.0,
                                 .cpu_seconds = 5,
                                 .memory_bytes = 256u << 20,
                                 .max_processes = 8,
                                 .file_bytes = 1u << 20}},
          .interpreters = waiting};
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

/// What this machine's Python itself prints for a program in a file of this name: each version of
/// Python words and marks its tracebacks in its own way.
std::string printed_by_python(const std::string& program, const std::string& file_name) {
  const TemporaryFolder folder;
  std::ofstream(folder / file_name) << program;
  const std::string command =
      "env -i " + PythonOptions<Rlimits>{}.python + " '" + (folder / file_name).string() + "' 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  REQUIRE(pipe != nullptr);
  std::string text;
  for (int byte = 0; (byte = std::getc(pipe.get())) != EOF;) text += static_cast<char>(byte);
  const std::string prefix = folder.path().string() + "/";
  for (std::size_t at = 0; (at = text.find(prefix, at)) != std::string::npos;)
    text.erase(at, prefix.size());
  return text;
}

}  // namespace

TEMPLATE_TEST_CASE("python answers with what a program prints, unchanged", "[tools]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const PythonInterpreter<TestType> python(small<TestType>());
  CHECK(python.run("print(6 * 7)") == "42\n");
  CHECK(python.run("text = '''a\n  b\n'''\nprint(repr(text))") == "'a\\n  b\\n'\n");
  CHECK(python.run("\n\nif __name__ == '__main__':\n\tprint('main')") == "main\n");
  CHECK(python.run("import sys\nprint(sys.stdin.read() == '')") == "True\n");
  CHECK(python.run("x = 1") == "");
  CHECK(python.run("") == "");
  CHECK(python.run("print('é')\nprint([i for i in range(2)], (lambda: 3)())") == "é\n[0, 1] 3\n");
  CHECK(python.run("import pickle\nclass P: pass\nprint(type(pickle.loads(pickle.dumps(P()))))") ==
        "<class '__main__.P'>\n");
}

TEMPLATE_TEST_CASE("python shows the program's own traceback and its exit status", "[tools]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const PythonInterpreter<TestType> python(small<TestType>());
  const std::string division = "def f():\n    return 1 / 0\nprint('before', flush=True)\nf()";
  const std::string said = python.run(division);
  CHECK(said == printed_by_python(division, "<code>") + "[exit status 1]");
  CHECK_THAT(said, ContainsSubstring("before\nTraceback (most recent call last):\n") &&
                       ContainsSubstring("File \"<code>\", line 4, in <module>\n    f()\n") &&
                       ContainsSubstring("File \"<code>\", line 2, in f\n    return 1 / 0\n") &&
                       ContainsSubstring("ZeroDivisionError: division by zero\n[exit"));
  const std::string syntax = python.run("print(1");
  CHECK_THAT(syntax, ContainsSubstring("File \"<code>\", line 1"));
  CHECK_THAT(syntax, ContainsSubstring("SyntaxError: '(' was never closed"));
  CHECK(syntax.find("stub") == std::string::npos);
  CHECK(python.run("raise SystemExit(3)") == "[exit status 3]");
  CHECK_THAT(python.run("x = '\xFF'"), ContainsSubstring("SyntaxError"));
}

TEMPLATE_TEST_CASE("python calls share nothing and run on many threads at once", "[tools]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  std::vector<std::string> texts(32);
  const std::size_t before = open_descriptors();
  {
    const PythonInterpreter<TestType> python(small<TestType>(4));
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < 8; ++thread)
      threads.emplace_back([&texts, &python, thread] {
        for (std::size_t i = thread; i < texts.size(); i += 8)
          texts[i] = python.run("import os\nprint(os.path.exists('seen'), " + std::to_string(i) +
                                ")\nopen('seen', 'w').close()");
      });
  }
  for (std::size_t i = 0; i < texts.size(); ++i)
    CHECK(texts[i] == "False " + std::to_string(i) + "\n");
  CHECK(open_descriptors() == before);
}

TEST_CASE("python is a tool of a tool box and keeps the laws of tools", "[tools]") {
  const PythonInterpreter<Rlimits> python(small<Rlimits>());
  const ToolBox box{python};
  const Task task{.id = "t"};
  const ToolResult result = box.call({"python", R"_({"code":"print(2+2)"})_"}, {&task, 0});
  CHECK(result.status == ToolStatus::ok);
  CHECK(result.text == "4\n");
  CHECK(box.call({"python", R"_({"code":4})_"}, {&task, 0}).status == ToolStatus::bad_arguments);
  const std::vector<std::string> good = {R"_({"code":"print(1)"})_"};
  CHECK(laws::of_tool(python, good) == laws::Violations{});
}

TEST_CASE("an interpreter that cannot be started aborts the rollout and says why", "[tools]") {
  PythonOptions<Rlimits> options = small<Rlimits>();
  options.python = "/no/such/python";
  const PythonInterpreter<Rlimits> python(options);
  CHECK_THROWS_AS(python.run("print(1)"), AbortRollout);
  CHECK_THROWS_WITH(python.run("print(1)"), ContainsSubstring("/no/such/python"));
}

TEST_CASE("an interpreter or argument that exec would cut off is refused when it is given",
          "[tools]") {
  const std::string cut("a\0b", 3);
  PythonOptions<Rlimits> program = small<Rlimits>();
  program.python += cut;
  CHECK_THROWS_WITH(PythonInterpreter<Rlimits>(program),
                    ContainsSubstring("python has a NUL byte"));
  PythonOptions<Rlimits> arguments = small<Rlimits>();
  arguments.python_arguments = {"-s", cut};
  CHECK_THROWS_WITH(PythonInterpreter<Rlimits>(arguments),
                    ContainsSubstring("python_arguments 1 has a NUL byte"));
}

TEST_CASE("a stop request ends a program", "[tools]") {
  const PythonInterpreter<Rlimits> python(small<Rlimits>());
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  CHECK_THAT(python.run("while True: pass", source.get_token()),
             ContainsSubstring("[killed: the call was cancelled]"));
}

TEMPLATE_TEST_CASE("names of an episode live as long as the episode and in it only", "[tools]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  PythonOptions<TestType> options = small<TestType>();
  options.state = PythonState::per_episode;
  const PythonInterpreter<TestType> python(options);
  const Task task{.id = "t"};
  const auto call = [&](const std::string& code, ToolMemory& memory) {
    return python({.code = code}, {.task = &task, .memory = &memory});
  };
  ToolMemory first, second;
  CHECK(call("x = 6\ndef f(): return 7 * x\nopen('kept', 'w').close()", first) == "");
  CHECK(call("x = 1", second) == "");
  CHECK(call("import os\nprint(f(), os.listdir('.'))", first) == "42 ['kept']\n");
  CHECK_THAT(call("f()", second), ContainsSubstring("NameError: name 'f' is not defined"));
  CHECK_THAT(call("1 / 0", first), ContainsSubstring("ZeroDivisionError"));
  CHECK(call("raise SystemExit(3)", first) == "[exit status 3]");
  CHECK(call("print(x)", first) == "6\n");
  CHECK(call("import os\nprint('bye')\nos._exit(4)", first) ==
        "bye\n[exit status 4]\n[the interpreter was started anew: what it knew is lost]");
  CHECK_THAT(call("print(x)", first), ContainsSubstring("NameError"));
  CHECK_THAT(call("import os, time\nos.closerange(3, 256)\ntime.sleep(1000)", second),
             ContainsSubstring("SIGKILL"));  // its socket closed, it is not waited for
  CHECK_THROWS_WITH(python({.code = "1"}, {.task = &task}), ContainsSubstring("no episode"));
}

TEST_CASE("a session that runs too long is killed and says what is lost", "[tools]") {
  PythonOptions<Rlimits> options = small<Rlimits>();
  options.state = PythonState::per_episode;
  options.sandbox.limits.wall_seconds = 0.5;
  const PythonInterpreter<Rlimits> python(options);
  const Task task{.id = "t"};
  ToolMemory memory;
  CHECK(python({.code = "while True: pass"}, {.task = &task, .memory = &memory}) ==
        "[killed: it ran longer than 0.5 s]\n"
        "[the interpreter was started anew: what it knew is lost]");
}

TEST_CASE("shared memory under Bubblewrap is private, limited and gone after the call", "[tools]") {
  if (!runs_here<Bubblewrap>()) return;
  const PythonInterpreter<Bubblewrap> python(small<Bubblewrap>());
  CHECK(python.run("from multiprocessing import Pool\n"
                   "with Pool(2) as pool: print(pool.map(abs, [-1, 2, -3]))") == "[1, 2, 3]\n");
  CHECK(python.run("open('/dev/shm/left', 'w').write('x')\nprint('written')") == "written\n");
  CHECK(python.run("import os\nprint(os.listdir('/dev/shm'))") == "[]\n");
  CHECK_THAT(python.run("for i in range(4): open(f'/dev/shm/{i}', 'wb').write(bytes(1 << 19))"),
             ContainsSubstring("No space left on device"));
  CHECK(python.run("import os\nos.mkdir('/dev/shm/folder')\nprint('made')") == "made\n");
  CHECK(python.run("import os\nprint(os.listdir('/dev/shm'))") == "[]\n");
}

TEMPLATE_TEST_CASE("every interpreter prints a set of texts in one order", "[tools]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const std::string program =
      "print({chr(c) * 3 for c in range(97, 123)}, hash('text'), hash(b'bytes'))\n"
      "import subprocess, sys\n"
      "print(subprocess.run([sys.executable, '-c', \"print(hash('text'))\"],"
      " capture_output=True).stdout)";
  const std::string first = PythonInterpreter<TestType>(small<TestType>()).run(program);
  CHECK(first.find("aaa") != std::string::npos);
  CHECK(first.find("Error") == std::string::npos);
  for (int again = 0; again < 2; ++again)
    CHECK(PythonInterpreter<TestType>(small<TestType>()).run(program) == first);
}

TEST_CASE("a file in the working folder does not stand for a module", "[tools]") {
  const PythonInterpreter<Rlimits> python(small<Rlimits>());
  CHECK(python.run("open('colorsys.py', 'w').write('print(1)')\nimport colorsys\n"
                   "print(colorsys.__file__.startswith('/usr'))") == "True\n");
}

TEST_CASE("options of python that cannot be meant are refused", "[tools]") {
  using Options = PythonOptions<Rlimits>;
  const auto refusal = [](const Options& options) {
    return error_of([&] { PythonInterpreter<Rlimits>{options}; });
  };
  CHECK_THAT(refusal({.interpreters = 0}), ContainsSubstring("interpreters is 0 (PythonOptions)"));
  CHECK_THAT(refusal({.interpreters = std::size_t{1} << 40U}),
             ContainsSubstring("interpreters is 1099511627776 (PythonOptions)"));
  CHECK_THAT(refusal({.python = ""}), ContainsSubstring("python is empty"));
  CHECK_THAT(refusal({.sandbox = {.limits = {.wall_seconds = 0}}}),
             ContainsSubstring("wall_seconds is 0"));
}
