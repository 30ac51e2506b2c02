#include "dualagent/data/task_file.hpp"

#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

TEST_CASE("tasks are read back as they were written", "[data]") {
  TemporaryFolder folder;
  const std::vector<Task> tasks{
      {.id = "a", .prompt = "1 + 1?", .answer = "2", .seed = 18446744073709551615U},
      {.id = "b\"\n",
       .prompt = "\xC3\xA4",
       .answer = "",
       .seed = 0,
       .max_calls = 7,
       .system = "be brief"}};
  write_tasks(folder / "t.jsonl", tasks);
  const std::vector<Task> read = read_tasks(folder / "t.jsonl");
  REQUIRE(read.size() == 2);
  CHECK(read[0].seed == 18446744073709551615U);
  CHECK(!read[0].max_calls);
  CHECK(read[1].id == "b\"\n");
  CHECK(read[1].prompt == "\xC3\xA4");
  CHECK(read[1].max_calls == 7);
  CHECK(!read[0].system);
  CHECK(read[1].system == "be brief");
}

TEST_CASE("a task that is not UTF-8 is not written", "[data]") {
  TemporaryFolder folder;
  const std::vector<Task> tasks{{.id = "a", .prompt = "\xFF", .answer = "x"}};
  CHECK_THROWS_AS(write_tasks(folder / "t.jsonl", tasks), Error);
  CHECK(folder.entries() == 0);
}

TEST_CASE("a bad task is refused with file and line", "[data]") {
  TemporaryFolder folder;
  const std::string good = R"({"id":"a","prompt":"p","answer":"x"})";
  const auto refused = [&](const std::string& row, const std::string& why) {
    write_file_atomically(folder / "t.jsonl", good + "\n \n" + row + "\n");
    CHECK_THROWS_WITH(read_tasks(folder / "t.jsonl"),
                      ContainsSubstring("t.jsonl:3") && ContainsSubstring(why));
  };
  refused("[1]", "not a JSON object");
  refused(R"({"id":"b","prompt":"p"})", "no \"answer\"");
  refused(R"({"id":"b","prompt":"p","answer":3})", "\"answer\" is not a text");
  refused(R"({"id":"b","prompt":"p","answer":"x","seed":-1})",
          "\"seed\" is -1, not a whole number");
  refused(R"({"id":"b","prompt":"p","answer":"x","sed":1})", "unknown key \"sed\"");
  refused(R"({"id":"","prompt":"p","answer":"x"})", "empty");
  refused(R"({"id":"b","prompt":"p","answer":"x",)", "not valid JSON");
  refused(good, "occurs twice");
}

TEST_CASE("a task file without tasks is refused, a check can refuse a row", "[data]") {
  TemporaryFolder folder;
  write_file_atomically(folder / "empty.jsonl", "\n\n");
  CHECK_THROWS_WITH(read_tasks(folder / "empty.jsonl"), ContainsSubstring("no tasks"));
  write_file_atomically(folder / "one.jsonl", R"({"id":"a","prompt":"p","answer":"x"})");
  CHECK_THROWS_WITH(read_tasks(folder / "one.jsonl", TaskRows{},
                               [](Task& task, const std::string& where) {
                                 throw Error("no " + task.prompt, where);
                               }),
                    ContainsSubstring("no p") && ContainsSubstring("one.jsonl:1"));
}

static_assert(!std::is_convertible_v<EvaluationTask, Task>);
static_assert(!std::is_convertible_v<std::vector<EvaluationTask>, std::span<const Task>>);

TEST_CASE("evaluation tasks are read as training tasks are, into a type of their own", "[data]") {
  TemporaryFolder folder;
  write_file_atomically(folder / "t.jsonl", R"({"id":"a","prompt":"p","answer":"x"})");
  const std::vector<EvaluationTask> held_out = read_evaluation_tasks(folder / "t.jsonl");
  REQUIRE(held_out.size() == 1);
  CHECK(held_out[0].task().prompt == "p");
}

namespace {
/// Throws what is not an Error.
struct Careless {
  Task read(std::string_view row, std::size_t, const std::string&) const {
    return {.id = std::string(row), .prompt = std::to_string(std::stoi(std::string(row)))};
  }
};
}  // namespace

TEST_CASE("what a format or a check throws is an Error with file and line", "[data]") {
  TemporaryFolder folder;
  write_file_atomically(folder / "t.jsonl", "1\n\nx\n");
  CHECK_THAT(error_of([&] { read_tasks(folder / "t.jsonl", Careless{}); }),
             ContainsSubstring("a task format threw std::invalid_argument: stoi") &&
                 ContainsSubstring("t.jsonl:3"));
  write_file_atomically(folder / "t.jsonl", "1\n2\n");
  CHECK_THAT(error_of([&] {
               read_tasks(folder / "t.jsonl", Careless{},
                          [](Task&, const std::string&) { throw 7; });
             }),
             ContainsSubstring("a check of tasks threw an exception of type int") &&
                 ContainsSubstring("t.jsonl:1"));
}
