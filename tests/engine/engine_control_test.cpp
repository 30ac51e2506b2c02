#include "dualagent/engine/engine_control.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/http_server.hpp"

using namespace dualagent;
using http_server::ClosedPort;
using http_server::Server;

TEST_CASE("an engine is asked by GET and POST, and says no in words", "[engine]") {
  Server server(
      [](const httplib::Request& request, httplib::Response& response) {
        if (request.path == "/half") return response.set_content("{\"a\":", "application/json");
        if (request.path == "/no") response.status = 500;
        if (request.path == "/none") response.status = 404;
        const auto body =
            request.body.empty() ? nlohmann::json() : nlohmann::json::parse(request.body);
        response.set_content(nlohmann::json{{"method", request.method}, {"body", body}}.dump(),
                             "application/json");
      },
      ".*");
  EngineControl control({.url = server.root()}, "SGLang");
  CHECK(control.get("/a").at("method") == "GET");
  CHECK(control.post("/a", {{"x", 1}}).at("body") == nlohmann::json{{"x", 1}});
  CHECK(control.answers("/a"));
  CHECK(!control.answers("/no"));
  const std::string no = error_of([&] { control.get("/no"); });
  CHECK_THAT(no, ContainsSubstring("SGLang replied with HTTP 500") &&
                     ContainsSubstring(server.root() + "/no"));
  CHECK_THAT(error_of([&] { control.get("/none"); }), ContainsSubstring("docs/engines.md"));
  CHECK_THAT(error_of([&] { control.get("/half"); }), ContainsSubstring("not valid JSON"));
  CHECK_NOTHROW(control.tell("/half", {}));
}

TEST_CASE("an engine that is not there is told from one that says no", "[engine]") {
  const ClosedPort port;
  EngineControl control({.url = port.root()}, "vLLM");
  CHECK_THROWS_AS(control.get("/a"), EngineGone);
  CHECK(!control.answers("/a"));
}

TEST_CASE("an engine's address has no path", "[engine]") {
  CHECK_THROWS_WITH(EngineControl({.url = "http://127.0.0.1:8000/v1"}, "vLLM"),
                    ContainsSubstring("has a path"));
}
