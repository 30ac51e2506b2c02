#include "dualagent/service/openai_client.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/reward/judge.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/guessing_pair.hpp"

using namespace dualagent;

namespace {

using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

/// What a chat-completions server says.
std::string completion(const std::string& text) {
  return nlohmann::json{{"choices", {{{"message", {{"role", "assistant"}, {"content", text}}}}}}}
      .dump();
}

/// A server on the loopback interface, on a port of its own.
class Server {
 public:
  explicit Server(Handler handler) {
    server_.Post("/v1/chat/completions", std::move(handler));
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Server() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

/// A port on which nobody listens, for as long as this lives.
class ClosedPort {
 public:
  ClosedPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_, any, size) != 0 || getsockname(socket_, any, &size) != 0)
      throw std::runtime_error("no free port");
    port_ = ntohs(address.sin_port);
  }
  ~ClosedPort() { close(socket_); }
  int socket_number() const { return socket_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

 private:
  int socket_;
  int port_ = 0;
};

/// Fast enough for a test; 2 retries.
OpenAiOptions options(const std::string& url) {
  return {.base_url = url, .backoff_seconds = 1e-3, .max_backoff_seconds = 0.5};
}

const ChatRequest kRequest{.model = "m", .messages = {{"user", "hello"}}};

/// The message of the Error that `complete` throws; empty if it replies.
std::string failure_of(const OpenAiOptions& options) {
  try {
    OpenAiClient(options).complete(kRequest);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

std::string work_of(const httplib::Request& request) {
  const nlohmann::json body = nlohmann::json::parse(request.body);
  return nlohmann::json::parse(body.at("messages").at(1).at("content").get<std::string>())
      .at("work")
      .get<std::string>();
}

}  // namespace

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
  CHECK_THAT(failure_of(in_time), ContainsSubstring("too slow or too large"));
  OpenAiOptions in_size = options(server.url());
  in_size.max_reply_bytes = 1000;
  in_size.retries = 0;
  CHECK_THAT(failure_of(in_size), ContainsSubstring("too slow or too large"));
}

TEST_CASE("nobody at the address is an error that names it", "[service]") {
  const ClosedPort port;
  CHECK_THAT(failure_of(options(port.url())),
             ContainsSubstring("no connection to the server (" + port.url()));
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
  CHECK_THROWS_WITH(OpenAiClient({.connect_timeout_seconds = 0}), ContainsSubstring("seconds"));
  CHECK_THROWS_WITH(OpenAiClient({.reply_timeout_seconds = -1}), ContainsSubstring("seconds"));
}

TEST_CASE("requests of several threads are under way at once", "[service]") {
  std::barrier together(4);
  Server server([&](const httplib::Request& request, httplib::Response& response) {
    const std::string work = work_of(request);
    together.arrive_and_wait();
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

namespace {

/// A judge server in a process of its own, which is killed while it works on one of its requests.
class MortalServer {
 public:
  explicit MortalServer(int last_request) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    process_ = fork();
    if (process_ == 0) serve(ends[1], last_request);
    if (read(ends[0], &port_, sizeof(port_)) != sizeof(port_))
      throw std::runtime_error("the server did not start");
    close(ends[0]);
    close(ends[1]);
  }
  ~MortalServer() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

 private:
  [[noreturn]] static void serve(int port_to, int last_request) {
    httplib::Server server;
    std::atomic<int> requests{0};
    server.Post("/v1/chat/completions",
                [&](const httplib::Request& request, httplib::Response& response) {
                  if (++requests == last_request) raise(SIGKILL);
                  response.set_content(
                      completion(work_of(request) == "5" ? R"({"truth": 10})" : R"({"truth": 1})"),
                      "application/json");
                });
    const int port = server.bind_to_any_port("127.0.0.1");
    if (write(port_to, &port, sizeof(port)) == sizeof(port)) server.listen_after_bind();
    _exit(1);
  }

  pid_t process_ = 0;
  int port_ = 0;
};

/// A judge server that fails on the works 1 to 4, each in a way of its own, whenever it is asked.
class FaultyServer {
 public:
  FaultyServer()
      : server_([this](const auto& request, auto& response) { serve(request, response); }) {}
  ~FaultyServer() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    wake_.notify_all();
  }
  std::string url() const { return server_.url(); }

 private:
  void serve(const httplib::Request& request, httplib::Response& response) {
    const std::string work = work_of(request);
    std::string reply = completion(work == "5" ? R"({"truth": 10})" : R"({"truth": 1})");
    if (work == "1") response.status = 500;
    if (work == "2") reply.resize(reply.size() / 2);
    if (work == "3") reply = completion(R"({"truth": 1)");
    if (work == "4" && silent_.exchange(true))
      response.status = 503;
    else if (work == "4") {  // the first of them: in time for nobody
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return released_; });
    }
    response.set_content(reply, "application/json");
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool released_ = false;
  std::atomic<bool> silent_{false};
  Server server_;  // last: its threads use the others
};

/// What a judge says whose server is a FaultyServer: without a server.
struct FaultyJudge {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    if (!rollout.answer) return 0.0;
    if (*rollout.answer >= "1" && *rollout.answer <= "4") return std::nullopt;
    return *rollout.answer == "5" ? 1.0 : 0.1;
  }
};

/// What a judge says whose server dies at its request `last_request`: without a server.
struct DyingJudge {
  int last_request = 0;
  mutable int requests = 0;
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    if (!rollout.answer) return 0.0;
    if (++requests >= last_request) return std::nullopt;
    return *rollout.answer == "5" ? 1.0 : 0.1;
  }
};

template <class Reward>
auto make_trainer(BigramModel& model, const Reward& reward) {
  return Trainer{SharedWeights{model}, guessing::protocol(), reward,
                 Recipe{Dapo{}},       LocalCollective{},    {.group_size = 8, .seed = 3}};
}

}  // namespace

TEST_CASE("a judge that is killed in the middle of a batch costs its rollouts, not the training",
          "[service][train]") {
  constexpr int kLastRequest = 40;
  const MortalServer server(kLastRequest);
  OpenAiOptions no_patience = options(server.url());
  no_patience.retries = 1;
  const OpenAiClient client{no_patience};
  const Judge judge{client,
                    JudgedAnswer{},
                    {.rubric = {{"truth", "?"}}, .max_concurrent = 1, .max_failures_in_a_row = 3}};
  BigramModel model = guessing::model();
  const std::vector<double> untrained = guessing::weights(model);
  auto trainer = make_trainer(model, judge);
  const std::vector<Task> tasks = guessing::five_tasks(150);
  const StepMetrics metrics = trainer.step(tasks);

  std::size_t answered = 0, aborted = 0;
  double reward = 0;
  for (const Rollout& rollout : trainer.rollouts()) {
    answered += rollout.answer ? 1 : 0;
    aborted += rollout.status == RolloutStatus::aborted ? 1 : 0;
    reward += rollout.reward;
    if (rollout.answer)
      CHECK((rollout.status == RolloutStatus::aborted) == (answered >= kLastRequest));
  }
  REQUIRE(answered > kLastRequest + 3);
  CHECK(judge.counts().graded == kLastRequest - 1);
  CHECK(judge.counts().unanswered == 3);
  CHECK(judge.counts().unasked == answered - (kLastRequest - 1) - 3);
  CHECK(metrics.aborted == static_cast<double>(aborted));
  CHECK(aborted >= answered - (kLastRequest - 1));  // tools abort some of their own
  CHECK(metrics.reward_mean ==
        Approx(reward / static_cast<double>(trainer.rollouts().size() - aborted)));

  // The rollouts that were judged train exactly as if the others had never had a score.
  BigramModel twin = guessing::model();
  make_trainer(twin, DyingJudge{kLastRequest}).step(tasks);
  CHECK(guessing::weights(model) == guessing::weights(twin));
  CHECK(guessing::weights(model) != untrained);

  const StepMetrics next = trainer.step(tasks);  // nobody answers any more
  CHECK(next.aborted > 0);
  CHECK(judge.counts().graded == kLastRequest - 1);
  CHECK(trainer.steps_done() == 2);
}

TEST_CASE("errors, cut replies and silence of a judge cost its rollouts, not the training",
          "[service][train]") {
  const FaultyServer server;
  OpenAiOptions no_patience = options(server.url());
  no_patience.retries = 0;
  no_patience.reply_timeout_seconds = 2;
  const OpenAiClient client{no_patience};
  const Judge judge{client,
                    JudgedAnswer{},
                    {.rubric = {{"truth", "?"}},
                     .max_concurrent = 2,
                     .attempts = 2,
                     .max_failures_in_a_row = 1000}};
  BigramModel model = guessing::model();
  const std::vector<double> untrained = guessing::weights(model);
  auto trainer = make_trainer(model, judge);
  const std::vector<Task> tasks = guessing::five_tasks(150);
  const StepMetrics metrics = trainer.step(tasks);

  std::array<std::size_t, 10> said{};
  std::size_t aborted = 0;
  for (const Rollout& rollout : trainer.rollouts()) {
    aborted += rollout.status == RolloutStatus::aborted ? 1 : 0;
    if (!rollout.answer) continue;
    const auto work = static_cast<std::size_t>(rollout.answer->at(0) - '0');
    ++said.at(work);
    CHECK((rollout.status == RolloutStatus::aborted) == (work >= 1 && work <= 4));
  }
  for (std::size_t work = 1; work <= 5; ++work) REQUIRE(said[work] > 0);
  CHECK(judge.counts().unanswered == said[1] + said[2] + said[4]);
  CHECK(judge.counts().unreadable == said[3]);
  CHECK(metrics.aborted == static_cast<double>(aborted));

  BigramModel twin = guessing::model();
  make_trainer(twin, FaultyJudge{}).step(tasks);
  CHECK(guessing::weights(model) == guessing::weights(twin));
  CHECK(guessing::weights(model) != untrained);
}
