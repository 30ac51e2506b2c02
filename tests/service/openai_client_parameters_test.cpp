#include <string>
#include <utility>
#include <vector>

#include "dualagent/service/openai_client.hpp"
#include "support/catch.hpp"
#include "support/http_server.hpp"

using namespace dualagent;
using namespace http_server;

namespace {

/// A server that says HTTP 400 to requests that hold one of the `refused` parameters, in the words
/// of OpenAI's; keeps the bodies of the requests.
class PickyServer {
 public:
  explicit PickyServer(std::vector<std::string> refused, std::string words = "is not supported")
      : server_([this, refused = std::move(refused), words = std::move(words)](
                    const httplib::Request& request, httplib::Response& response) {
          bodies.push_back(nlohmann::json::parse(request.body));
          for (const std::string& name : refused)
            if (bodies.back().contains(name)) {
              response.status = 400;
              response.set_content(R"({"error": {"message": "Unsupported parameter: ')" + name +
                                       "' " + words + R"( with this model.", "param": ")" + name +
                                       "\"}}",
                                   "application/json");
              return;
            }
          response.set_content(completion("yes"), "application/json");
        }) {}
  std::string url() const { return server_.url(); }

  std::vector<nlohmann::json> bodies;

 private:
  Server server_;
};

}  // namespace

TEST_CASE("a server that refuses max_tokens or a temperature is asked once more without it",
          "[service]") {
  PickyServer server({"max_tokens", "temperature"});
  const OpenAiClient client{options(server.url())};
  CHECK(client.complete(kRequest) == "yes");
  REQUIRE(server.bodies.size() == 3);
  CHECK(server.bodies[1].at("max_completion_tokens") == server.bodies[0].at("max_tokens"));
  CHECK(server.bodies[1].contains("temperature"));
  CHECK(server.bodies[2].contains("max_completion_tokens"));
  CHECK(!server.bodies[2].contains("temperature"));
  CHECK(!server.bodies[2].contains("max_tokens"));

  CHECK(client.complete(kRequest) == "yes");  // the model is known now
  CHECK(server.bodies.size() == 4);
  CHECK(server.bodies[3] == server.bodies[2]);
  ChatRequest other = kRequest;
  other.model = "another";
  CHECK(client.complete(other) == "yes");
  CHECK(server.bodies.size() == 7);
}

TEST_CASE("max_completion_tokens or no temperature can be asked for from the start", "[service]") {
  PickyServer server({"max_tokens", "temperature"});
  OpenAiOptions newer = options(server.url());
  newer.reply_limit = ReplyLimit::max_completion_tokens;
  ChatRequest request = kRequest;
  request.temperature = std::nullopt;
  CHECK(OpenAiClient(newer).complete(request) == "yes");
  CHECK(server.bodies.size() == 1);
}

TEST_CASE("a server that goes on refusing is asked once more, not for ever", "[service]") {
  PickyServer server({"max_tokens", "max_completion_tokens"});
  CHECK_THAT(failure_of(options(server.url())),
             ContainsSubstring("HTTP 400") && ContainsSubstring("'max_completion_tokens'"));
  CHECK(server.bodies.size() == 2);
}

TEST_CASE("a value that a server refuses is not sent again", "[service]") {
  for (const char* reply :
       {R"({"error": {"message": "max_tokens is too large: 99. This model supports at most 9."}})",
        R"({"error": {"message": "temperature must be in [0, 2], got 3"}})",
        R"({"error": {"message": "The model 'm' is not supported."}})", ""}) {
    CAPTURE(reply);
    int requests = 0;
    Server server([&](const httplib::Request&, httplib::Response& response) {
      ++requests;
      response.status = 400;
      response.set_content(reply, "application/json");
    });
    CHECK_THAT(failure_of(options(server.url())), ContainsSubstring("HTTP 400"));
    CHECK(requests == 1);
  }
}

TEST_CASE("the form of a reply is sent as the protocol has it", "[service]") {
  PickyServer server({});
  const OpenAiClient client{options(server.url())};
  ChatRequest request = kRequest;
  CHECK(client.complete(request) == "yes");
  request.reply_form = ReplyForm::json_object;
  CHECK(client.complete(request) == "yes");
  request.reply_form = ReplyForm::json_schema;
  request.schema = R"({"type": "object"})";
  CHECK(client.complete(request) == "yes");
  REQUIRE(server.bodies.size() == 3);
  CHECK(!server.bodies[0].contains("response_format"));
  CHECK(server.bodies[1].at("response_format") == nlohmann::json{{"type", "json_object"}});
  CHECK(server.bodies[2].at("response_format") ==
        nlohmann::json::parse(R"({"type": "json_schema", "json_schema": {
          "name": "reply", "strict": true, "schema": {"type": "object"}}})"));
  for (const char* schema : {"", "{", "7"}) {
    request.schema = schema;
    CHECK_THROWS_WITH(client.complete(request), ContainsSubstring("ChatRequest::schema"));
  }
  CHECK(server.bodies.size() == 3);
}

TEST_CASE("a server that refuses response_format is asked once more without it", "[service]") {
  PickyServer server({"response_format"});
  const OpenAiClient client{options(server.url())};
  ChatRequest request = kRequest;
  request.reply_form = ReplyForm::json_object;
  CHECK(client.complete(request) == "yes");
  REQUIRE(server.bodies.size() == 2);
  CHECK(server.bodies[1].at("max_tokens") == server.bodies[0].at("max_tokens"));
  CHECK(server.bodies[1].at("temperature") == server.bodies[0].at("temperature"));
  CHECK(!server.bodies[1].contains("response_format"));
  CHECK(client.complete(request) == "yes");  // the model is known now
  CHECK(server.bodies.size() == 3);
}
