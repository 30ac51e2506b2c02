#include "dualagent/data/task_stream.hpp"

#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

std::vector<Task> numbered(std::size_t count) {
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < count; ++i)
    tasks.push_back({.id = std::to_string(i), .prompt = "p" + std::to_string(i), .answer = "a"});
  return tasks;
}

std::string ids(const std::vector<Task>& tasks) {
  std::string all;
  for (const Task& task : tasks) all += task.id + " ";
  return all;
}

const RandomStream kRandom = RandomStream::from_seed(4);

}  // namespace

TEST_CASE("every pass holds every task once, in an order of its own", "[data]") {
  TaskStream stream(numbered(50), kRandom);
  std::set<std::string> orders;
  for (int pass = 0; pass < 4; ++pass) {
    const std::vector<Task> tasks = stream.next(50);
    std::set<std::string> seen;
    for (const Task& task : tasks) seen.insert(task.id);
    CHECK(seen.size() == 50);
    orders.insert(ids(tasks));
  }
  CHECK(orders.size() == 4);
  CHECK(stream.position() == 200);
}

TEST_CASE("the order is that of a shuffle by the pass's own stream", "[data]") {
  std::vector<std::size_t> order(5);
  std::string expected;
  for (std::uint64_t pass = 0; pass < 2; ++pass) {
    for (std::size_t i = 0; i < 5; ++i) order[i] = i;
    shuffle(std::span<std::size_t>(order), kRandom.child(pass));
    for (const std::size_t i : order) expected += std::to_string(i) + " ";
  }
  TaskStream stream(numbered(5), kRandom);
  std::string got = ids(stream.next(3));
  got += ids(stream.next(7));  // across the end of a pass
  CHECK(got == expected);
}

TEST_CASE("a restored stream goes on exactly where the saved one stopped", "[data]") {
  TemporaryFolder folder;
  write_tasks(folder / "t.jsonl", numbered(7));
  TaskStream first(folder / "t.jsonl", TaskRows{}, kRandom);
  first.next(10);
  const std::string saved = first.save();
  const std::string expected = ids(first.next(20));
  TaskStream second(folder / "t.jsonl", TaskRows{}, kRandom);
  second.restore(saved);
  CHECK(second.position() == 10);
  CHECK(ids(second.next(20)) == expected);
}

TEST_CASE("a file streams the same tasks as memory does", "[data]") {
  TemporaryFolder folder;
  write_file_atomically(folder / "g.jsonl",
                        "{\"question\":\"q1\",\"answer\":\"#### 1\"}\n\n"
                        "{\"question\":\"q2\",\"answer\":\"#### 2\"}\r\n"
                        "{\"question\":\"q3\",\"answer\":\"#### 3\"}");
  TaskStream file(folder / "g.jsonl", Gsm8kRows{}, kRandom);
  TaskStream memory(read_tasks(folder / "g.jsonl", Gsm8kRows{}), kRandom);
  CHECK(file.size() == 3);
  const std::vector<Task> tasks = file.next(9);
  CHECK(ids(tasks) == ids(memory.next(9)));
  for (const Task& task : tasks)  // "gsm8k-3" is line 3
    CHECK(task.prompt == (task.id == "gsm8k-1" ? "q1" : task.id == "gsm8k-3" ? "q2" : "q3"));
}

TEST_CASE("what cannot be resumed or read is refused", "[data]") {
  TemporaryFolder folder;
  write_tasks(folder / "t.jsonl", numbered(7));
  write_tasks(folder / "other.jsonl", numbered(8));
  TaskStream stream(folder / "t.jsonl", TaskRows{}, kRandom);
  TaskStream other(folder / "other.jsonl", TaskRows{}, kRandom);
  CHECK_THROWS_WITH(other.restore(stream.save()), ContainsSubstring("not those of the saved run"));
  CHECK_THROWS_WITH(stream.restore("{\"position\": 3}"), ContainsSubstring("tasks is missing"));
  CHECK_THROWS_WITH(stream.restore("{\"position\": -3, \"tasks\": 7, \"crc64\": 1}"),
                    ContainsSubstring("position is -3, not a whole number"));
  CHECK_THROWS_WITH(stream.restore("[]"), ContainsSubstring("position is missing"));
  CHECK_THROWS_AS(stream.restore("nonsense"), Error);
  CHECK_THROWS_WITH(TaskStream(std::vector<Task>{}, kRandom), ContainsSubstring("no tasks"));
  write_file_atomically(folder / "bad.jsonl",
                        "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"x\"}\n{}");
  CHECK_THROWS_WITH(TaskStream(folder / "bad.jsonl", TaskRows{}, kRandom),
                    ContainsSubstring("bad.jsonl:2"));
}

TEST_CASE("a stream of another order, or of tasks that differ in anything, is not resumed",
          "[data]") {
  const std::vector<Task> tasks = numbered(7);
  const auto refusal = [&](std::vector<Task> others, const RandomStream& random) {
    TaskStream stream(tasks, kRandom);
    stream.next(3);
    return error_of([&] { TaskStream(std::move(others), random).restore(stream.save()); });
  };
  CHECK(refusal(tasks, kRandom) == "no error");
  CHECK_THAT(refusal(tasks, kRandom.child(1)),
             ContainsSubstring("in another order") && ContainsSubstring("the same seed"));
  const auto with = [&](auto change) {
    std::vector<Task> others = tasks;
    change(others[4]);
    return refusal(others, kRandom);
  };
  CHECK_THAT(with([](Task& task) { task.max_calls = 0; }), ContainsSubstring("not those"));
  CHECK_THAT(with([](Task& task) { task.seed = 1; }), ContainsSubstring("not those"));
  CHECK_THAT(with([](Task& task) { task.system = ""; }), ContainsSubstring("not those"));
  CHECK_THAT(with([](Task& task) { task.answer += " "; }), ContainsSubstring("not those"));
}

TEST_CASE("one file read in two formats gives two streams", "[data]") {
  TemporaryFolder folder;
  write_file_atomically(folder / "m.jsonl", R"({"prompt":"p","other":"q","label":"1"})");
  TaskStream stream(folder / "m.jsonl", MessageRows{}, kRandom);
  TaskStream other(folder / "m.jsonl", MessageRows{.messages_key = "other"}, kRandom);
  CHECK_THROWS_WITH(other.restore(stream.save()), ContainsSubstring("not those of the saved run"));
}
