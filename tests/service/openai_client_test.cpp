#include "dualagent/service/openai_client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/reward/judge.hpp"
#include "support/catch.hpp"
#include "support/http_server.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using namespace http_server;

TEST_CASE("a request reaches the server as the protocol writes it, and its text comes back",
          "[service]") {
  std::string body, type, authorization;
  Server server([&](const httplib::Request& request, httplib::Response& response) {
    body = request.body;
    type = request.get_header_value("Content-Type");
    authorization = request.get_header_value("Authorization");
    response.set_content(completion("good \"day\"\n"), "application/json");
  });
  const OpenAiClient client{options(server.url() + "/")};
  CHECK(client.complete({.model = "gpt-oss-120b",
                         .messages = {{"system", "be brief"}, {"user", "hi \xF0\x9F\x8C\x8D"}},
                         .temperature = 0.25,
                         .max_tokens = 12}) == "good \"day\"\n");
  CHECK(type == "application/json");
  CHECK(authorization.empty());
  CHECK(nlohmann::json::parse(body) == nlohmann::json::parse(R"({
    "model": "gpt-oss-120b", "temperature": 0.25, "max_tokens": 12, "messages": [
      {"role": "system", "content": "be brief"}, {"role": "user", "content": "hi 🌍"}]})"));
}

TEST_CASE("a key comes from the environment and is never shown", "[service]") {
  setenv("DUALAGENT_TEST_KEY", "key-12345", 1);
  std::string authorization;
  Server server([&](const httplib::Request& request, httplib::Response& response) {
    authorization = request.get_header_value("Authorization");
    response.status = 401;
    response.set_content("Incorrect key: key-12345", "text/plain");
  });
  OpenAiOptions with_key = options(server.url());
  with_key.api_key_variable = "DUALAGENT_TEST_KEY";
  const std::string failure = failure_of(with_key);
  CHECK(authorization == "Bearer key-12345");
  CHECK_THAT(failure, ContainsSubstring("HTTP 401: Incorrect key: (key)"));
  CHECK_THAT(failure, !ContainsSubstring("12345"));

  setenv("DUALAGENT_TEST_KEY", "key\r\nX-Other: 1", 1);
  CHECK_THROWS_WITH(OpenAiClient(with_key), ContainsSubstring("DUALAGENT_TEST_KEY"));
  unsetenv("DUALAGENT_TEST_KEY");
  CHECK_THROWS_WITH(OpenAiClient(with_key), ContainsSubstring("DUALAGENT_TEST_KEY is not set"));
  with_key.api_key_variable = "sk-proj-12345";  // the key in place of its name
  CHECK_THROWS_WITH(OpenAiClient(with_key),
                    ContainsSubstring("not a name") && !ContainsSubstring("12345"));
}

TEST_CASE("a server error is tried again and may pass", "[service]") {
  int requests = 0;
  Server server([&](const httplib::Request&, httplib::Response& response) {
    if (++requests < 3) {
      response.status = requests == 1 ? 500 : 429;
      return;
    }
    response.set_content(completion("late"), "application/json");
  });
  CHECK(OpenAiClient(options(server.url())).complete(kRequest) == "late");
  CHECK(requests == 3);
}

TEST_CASE("a server that always fails is left after the retries, with its words", "[service]") {
  int requests = 0;
  Server server([&](const httplib::Request&, httplib::Response& response) {
    ++requests;
    response.status = 500;
    response.set_content("out of\x1b[31m memory", "text/plain");
  });
  const std::string failure = failure_of(options(server.url()));
  CHECK(requests == 3);
  CHECK_THAT(failure, ContainsSubstring("HTTP 500: out of\\x1b[31m memory"));
  CHECK_THAT(failure, ContainsSubstring(server.url() + "/chat/completions, attempt 3"));
}

TEST_CASE("a request that the server refuses is not repeated", "[service]") {
  for (const int status : {301, 400, 403, 404, 413}) {
    int requests = 0;
    Server server([&](const httplib::Request&, httplib::Response& response) {
      ++requests;
      response.status = status;
      response.set_content("no", "text/plain");
    });
    CHECK_THAT(failure_of(options(server.url())),
               ContainsSubstring("HTTP " + std::to_string(status)));
    CHECK(requests == 1);
  }
}

TEST_CASE("a completion without a text says that its model ran out of tokens", "[service]") {
  Server server([&](const httplib::Request&, httplib::Response& response) {
    response.set_content(
        R"({"choices": [{"message": {"content": null}, "finish_reason": "length"}]})",
        "application/json");
  });
  CHECK_THAT(failure_of(options(server.url())), ContainsSubstring("Raise max_tokens"));
}

TEST_CASE("what is not a completion is tried again and then an error, never a text", "[service]") {
  const std::string whole = completion("text");
  for (const std::string& reply :
       {whole.substr(0, whole.size() / 2), std::string("<html>busy</html>"), std::string(),
        std::string("{}"), std::string(R"({"choices": []})"), std::string(R"({"choices": 3})"),
        std::string(R"({"choices": [{"message": {"content": null}}]})"),
        std::string(R"({"choices": [{"message": {"content": 5}}]})"), std::string(100000, '[')}) {
    CAPTURE(reply.substr(0, 100));
    int requests = 0;
    Server server([&](const httplib::Request&, httplib::Response& response) {
      ++requests;
      response.set_content(reply, "application/json");
    });
    CHECK_THAT(failure_of(options(server.url())), ContainsSubstring("not a chat completion"));
    CHECK(requests == 3);
  }
}

TEST_CASE("a reply that does not come in time is an error", "[service]") {
  std::mutex mutex;
  std::condition_variable wake;
  bool released = false;
  Server server([&](const httplib::Request&, httplib::Response& response) {
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return released; });
    response.set_content(completion("too late"), "application/json");
  });
  OpenAiOptions impatient = options(server.url());
  impatient.reply_timeout_seconds = 0.05;
  impatient.retries = 1;
  CHECK_THAT(failure_of(impatient), ContainsSubstring("did not reply in time"));
  const std::lock_guard lock(mutex);
  released = true;
  wake.notify_all();
}

TEST_CASE("a reply that never ends is cut by its time and by its size", "[service]") {
  Server server([&](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider(
        "application/json",
        [](std::size_t, httplib::DataSink& sink) { return sink.write(" ", 1); });
  });
  OpenAiOptions in_time = options(server.url());
  in_time.reply_timeout_seconds = 0.05;
  in_time.retries = 0;
  CHECK_THAT(failure_of(in_time), ContainsSubstring("did not reply in time"));
  OpenAiOptions in_size = options(server.url());
  in_size.max_reply_bytes = 1000;
  in_size.retries = 0;
  CHECK_THAT(failure_of(in_size), ContainsSubstring("too large"));
}

TEST_CASE("nobody at the address is an error that names it", "[service]") {
  const ClosedPort port;
  CHECK_THAT(failure_of(options(port.url())),
             ContainsSubstring("no connection to the server") && ContainsSubstring(port.url()));
}

TEST_CASE("a server that hangs up while it is written to is an error", "[service]") {
  const ClosedPort port;
  REQUIRE(listen(port.socket_number(), 4) == 0);
  std::thread rude([&] {
    const int connection = accept(port.socket_number(), nullptr, nullptr);
    char first = 0;
    while (recv(connection, &first, 1, 0) == 0) continue;
    shutdown(connection, SHUT_WR);
    close(connection);  // with bytes unread: the connection is reset
  });
  OpenAiOptions once = options(port.url());
  once.retries = 0;
  const ChatRequest large{.messages = {{"user", std::string(std::size_t{64} << 20U, 'x')}}};
  CHECK_THROWS_AS(OpenAiClient(once).complete(large), Error);
  rude.join();
}

TEST_CASE("waits double up to their maximum, less a random share, and not below Retry-After",
          "[service]") {
  const OpenAiOptions waits{.backoff_seconds = 0.5, .max_backoff_seconds = 3};
  CHECK(retry_delay_seconds(waits, 0, 0.0, 0) == 0.5);
  CHECK(retry_delay_seconds(waits, 1, 0.0, 0) == 1.0);
  CHECK(retry_delay_seconds(waits, 2, 0.0, 0) == 2.0);
  CHECK(retry_delay_seconds(waits, 3, 0.0, 0) == 3.0);
  CHECK(retry_delay_seconds(waits, 5000, 0.0, 0) == 3.0);
  CHECK(retry_delay_seconds(waits, 1, 0.5, 0) == 0.75);
  CHECK(retry_delay_seconds(waits, 1, 0.5, 2) == 2.0);
}

TEST_CASE("a server that asks for a longer wait than allowed is left at once", "[service]") {
  int requests = 0;
  Server server([&](const httplib::Request&, httplib::Response& response) {
    ++requests;
    response.status = 429;
    response.set_header("Retry-After", "3600");
  });
  CHECK_THAT(failure_of(options(server.url())), ContainsSubstring("HTTP 429"));
  CHECK(requests == 1);
}

TEST_CASE("addresses and options that cannot be are refused before any request", "[service]") {
  for (const char* url : {"", "127.0.0.1:8000", "ftp://host/v1", "http://", "http:///v1",
                          "http://user:secret@host/v1", "http://host/v1?x=1", "http://ho st/"}) {
    CAPTURE(url);
    CHECK_THROWS_AS(OpenAiClient({.base_url = url}), Error);
  }
  for (const char* url : {"http://user:secret@host/v1", "ftp://user:secret@host/v1"})
    CHECK_THROWS_WITH(OpenAiClient({.base_url = url}), !ContainsSubstring("secret"));
  CHECK_THROWS_WITH(OpenAiClient({.connect_timeout_seconds = 0}),
                    ContainsSubstring("connect_timeout_seconds is 0"));
  CHECK_THROWS_WITH(OpenAiClient({.reply_timeout_seconds = -1}),
                    ContainsSubstring("reply_timeout_seconds is -1"));
  CHECK_THROWS_WITH(OpenAiClient({.backoff_seconds = 1e10}),
                    ContainsSubstring("backoff_seconds is 1e+10"));
  CHECK_THROWS_WITH(OpenAiClient({.max_backoff_seconds = std::nan("")}),
                    ContainsSubstring("max_backoff_seconds is nan"));
}

TEST_CASE("requests of several threads are under way at once", "[service]") {
  Together together(4);
  Server server([&](const httplib::Request& request, httplib::Response& response) {
    const std::string work = work_of(request);
    if (!together.arrive_and_wait()) response.status = 500;
    response.set_content(completion("{\"truth\": " + work + "}"), "application/json");
  });
  const OpenAiClient client{options(server.url())};
  const Judge judge{client, JudgedAnswer{}, {.rubric = {{"truth", "?"}}, .max_concurrent = 4}};
  std::vector<Rollout> rollouts(8);
  const Task task{.id = "t"};
  for (std::size_t i = 0; i < 8; ++i) rollouts[i].answer = std::to_string(i + 1);
  score_rollouts(judge, std::span(rollouts), [&](const Rollout&) -> const Task& { return task; });
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(rollouts[i].reward == Approx(0.1 * static_cast<double>(i + 1)));
}
