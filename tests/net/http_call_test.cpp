#include "dualagent/net/http_call.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a token is compared whole", "[net]") {
  CHECK(bearer_is("Bearer abc", "abc"));
  CHECK(bearer_is("bearer abc", "abc"));
  for (const char* header : {"", "Bearer", "Bearer ", "Bearer ab", "Bearer abd", "Bearer abcabc",
                             "Bearer abc ", "Bearer  abc", "Bearer ABC", "Basic abc"})
    CHECK(!bearer_is(header, "abc"));
}

TEST_CASE("a refusal has a status for the client and a sentence for people", "[net]") {
  const HttpRefusal refusal(429, "the queue is full", "queue", "Wait", 2);
  CHECK(refusal.status == 429);
  CHECK(refusal.retry_after_seconds == 2);
  CHECK(refusal_body(refusal.what()) ==
        R"({"error":{"message":"the queue is full (queue). Wait"}})");
  CHECK(refusal_body("a\nb\xFF") == "{\"error\":{\"message\":\"a\\\\nb\xEF\xBF\xBD\"}}");
}

TEST_CASE("body, query and reply of a call", "[net]") {
  httplib::Request request;
  request.path = "/p";
  request.params = {{"q", "1"}};
  request.headers = {{"X-Key", "k"}};
  httplib::Response response;
  const HttpPatience patience;
  const EventFlag stopping;
  const HttpConnection connection(-1, patience, stopping);
  HttpCall call(request, "body", response, connection);
  CHECK(call.path() == "/p");
  CHECK(call.body() == "body");
  CHECK(call.query("q") == "1");
  CHECK(call.query("r").empty());
  CHECK(call.header("X-Key") == "k");
  call.reply(nlohmann::json{{"a", 1}});
  call.header("X-More", "m");
  CHECK(response.status == 200);
  CHECK(response.body == R"({"a":1})");
  CHECK(response.get_header_value("Content-Type") == "application/json");
  CHECK(response.get_header_value("X-More") == "m");
}
