#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/reward/judge.hpp"
#include "dualagent/service/openai_client.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/guessing_pair.hpp"
#include "support/http_server.hpp"

using namespace dualagent;
using namespace http_server;

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
