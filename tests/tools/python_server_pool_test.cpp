#include "dualagent/tools/python_server_pool.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/python_servers.hpp"
#include "support/sandboxes.hpp"

using namespace dualagent;
using namespace dualagent::detail;

TEST_CASE("a server that left no trace is given again, another one is not", "[tools]") {
  if (!runs_here<Bubblewrap>()) return;
  PythonServerPool pool(Bubblewrap{.limits = kLimits}, kPython, 1);
  std::unique_ptr<PythonServer> server = pool.take();
  const PythonServer* const first = server.get();
  CHECK(server->run("print(1)", {}).output == "1\n");
  pool.give_back(std::move(server));
  server = pool.take();
  CHECK(server.get() == first);
  CHECK(server->run("import os\nos.mkdir('kept')", {}).code == 0);
  REQUIRE_FALSE(server->reusable());
  pool.give_back(std::move(server));
  server = pool.take();
  CHECK(server->reusable());
  CHECK(server->run("import os\nprint(os.listdir('.'))", {}).output == "[]\n");
}

TEST_CASE("more servers than the pool keeps are started while they are needed", "[tools]") {
  PythonServerPool pool(Rlimits{.limits = kLimits}, kPython, 1);
  std::unique_ptr<PythonServer> first = pool.take(), second = pool.take();
  CHECK(first->run("print(1)", {}).output == "1\n");
  CHECK(second->run("print(2)", {}).output == "2\n");
}

TEST_CASE("a pool that can start no server says why to everybody who asks", "[tools]") {
  PythonServerPool pool(Rlimits{.limits = kLimits}, {"/bin/echo", "no snakes"}, 2);
  for (int attempt = 0; attempt < 2; ++attempt)
    CHECK_THAT(error_of([&] { pool.take(); }), ContainsSubstring("no snakes"));
}
