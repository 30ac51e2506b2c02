#include "dualagent/store/sqlite_task_queues.hpp"

#include <optional>
#include <string>

#include "dualagent/store/sqlite_store.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {
std::string text_of_first(SqliteTaskQueues& queues, const std::string& queue) {
  const std::optional<FetchedText> fetched = queues.fetch(queue);
  return fetched ? fetched->text : "nothing";
}
}  // namespace

TEST_CASE("queues of texts are first in, first out, and are there after a restart", "[store]") {
  const TemporaryFolder folder;
  {
    SqliteTaskQueues queues(folder / "tasks.sqlite");
    for (const char* text : {"1", "2", "3"})
      CHECK(queues.commit("a", text) == CommitResult{.stored = 1});
    queues.commit("b", "1");
    CHECK(text_of_first(queues, "a") == "1");
  }
  SqliteTaskQueues queues(folder / "tasks.sqlite");
  CHECK(queues.commit("a", "1") == CommitResult{.repeated = 1});  // it is not queued again
  CHECK(queues.commit("a", "2") == CommitResult{.repeated = 1});
  CHECK(queues.sizes() == std::vector<std::pair<std::string, std::size_t>>{{"a", 2}, {"b", 1}});
  CHECK(text_of_first(queues, "a") == "2");
  CHECK(text_of_first(queues, "a") == "3");
  CHECK(text_of_first(queues, "a") == "nothing");
  CHECK(text_of_first(queues, "c") == "nothing");
  CHECK(queues.sizes() == std::vector<std::pair<std::string, std::size_t>>{{"a", 0}, {"b", 1}});
}

TEST_CASE("a full queue of texts refuses, and takes a repeated commit", "[store]") {
  const TemporaryFolder folder;
  SqliteTaskQueues queues(folder / "tasks.sqlite", {.max_texts = 2});
  queues.commit("a", "1");
  queues.commit("a", "2");
  CHECK(queues.commit("a", "3") == CommitResult{.status = CommitStatus::full});
  CHECK(queues.commit("a", "2") == CommitResult{.repeated = 1});
  CHECK(queues.commit("b", "1") == CommitResult{.stored = 1});
  CHECK(text_of_first(queues, "a") == "1");
  CHECK(queues.commit("a", "3") == CommitResult{.stored = 1});
}

TEST_CASE("of texts that have left their queues the last ones are known again", "[store]") {
  const TemporaryFolder folder;
  SqliteTaskQueues queues(folder / "tasks.sqlite", {.max_remembered = 2});
  queues.commit("waits", "0");
  for (const char* text : {"1", "2", "3"}) {
    queues.commit("a", text);
    CHECK(text_of_first(queues, "a") == text);
  }
  CHECK(queues.commit("a", "3") == CommitResult{.repeated = 1});
  CHECK(queues.commit("a", "1") == CommitResult{.stored = 1});
  CHECK(queues.commit("waits", "0") == CommitResult{.repeated = 1});  // it is still there
  CHECK(text_of_first(queues, "waits") == "0");
}

TEST_CASE("a text on lease comes again unless it is acknowledged", "[store]") {
  const TemporaryFolder folder;
  std::int64_t time = 0;
  SqliteTaskQueues queues(folder / "tasks.sqlite", {.now = [&] { return time; }});
  queues.commit("a", "1");
  queues.commit("a", "2");
  const auto any = [](const std::string&) { return true; };
  const FetchedText first = queues.fetch("a", any, 5).value();
  CHECK(first.text == "1");
  CHECK(queues.fetch("a", [](const std::string& text) { return text == "1"; }) == std::nullopt);
  time += 5000;
  const FetchedText again = queues.fetch("a", any, 5).value();
  CHECK(again.text == "1");
  CHECK(queues.acknowledge(first.lease) == LeaseStatus::lost);
  CHECK(queues.acknowledge(again.lease) == LeaseStatus::done);
  CHECK(queues.acknowledge(again.lease) == LeaseStatus::repeated);
  time += 60'000;
  const FetchedText second = queues.fetch("a", any, 5).value();
  time += 5000;
  CHECK(text_of_first(queues, "a") == "2");
  CHECK(queues.acknowledge(second.lease) == LeaseStatus::lost);
  CHECK(text_of_first(queues, "a") == "nothing");
}

TEST_CASE("files of queues and of stores are not mistaken for each other", "[store]") {
  const TemporaryFolder folder;
  { SqliteTaskQueues queues(folder / "tasks.sqlite"); }
  CHECK(error_of([&] {
          SqliteStore store(folder / "tasks.sqlite");
        }).find("an SQLite database for something else") != std::string::npos);
  CHECK(error_of([&] {
          SqliteTaskQueues queues(folder / "a.sqlite", {.max_texts = 0});
        }).find("max_texts is 0") == 0);
  CHECK(error_of([&] {
          SqliteTaskQueues queues(folder / "a.sqlite", {.lock_seconds = -1});
        }).find("lock_seconds is -1") == 0);
}

TEST_CASE("queues refuse an empty clock", "[store]") {
  const TemporaryFolder folder;
  CHECK(error_of([&] { SqliteTaskQueues queues(folder / "q.sqlite", {.now = StoreClock()}); }) ==
        "now is empty (TaskQueuesOptions). Give a function");
}
