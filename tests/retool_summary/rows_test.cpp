#include "retool_summary/rows.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace retool_summary;

TEST_CASE("the form of a file's rows is seen by its first row", "[retool_summary]") {
  struct Case {
    const char *row, *name, *prompt, *answer;
  };
  const std::vector<Case> cases{
      {R"({"question": "q", "answer": "x <<1+1=2>>2\n#### 2"})", "GSM8K", "q", "2"},
      {R"({"question": "q", "answer": "70"})", "questions and answers", "q", "70"},
      {R"({"prompt": [{"role": "user", "content": "q"}], "label": "73"})", "messages and label",
       "q", "73"},
      {R"({"data_source": "math_dapo", "prompt": [{"role": "user", "content": "q"}],)"
       R"( "reward_model": {"ground_truth": "34", "style": "rule"}})",
       "DAPO-Math", "q", "34"},
      {R"({"id": 60, "problem": "q", "solution": "s", "answer": "204"})", "problems and answers",
       "q", "204"},
      {R"({"ID": "2024-I-4", "Problem": "q", "Solution": "s", "Answer": 116})", "AIME", "q", "116"},
      {R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "4"}]})",
       "chats", "q", "4"},
      {R"({"id": "a", "prompt": "q", "answer": "5"})", "dualagent's own", "q", "5"}};
  const TemporaryFolder folder;
  for (const Case& one : cases) {
    INFO(one.row);
    dualagent::write_file_atomically(folder / "t.jsonl", "\n" + std::string(one.row) + "\n");
    const AnyRows rows = rows_of(folder / "t.jsonl");
    CHECK(rows.name == one.name);
    const dualagent::Task task = rows.read(one.row, 2, "t.jsonl:2");
    CHECK(task.prompt == one.prompt);
    CHECK(task.answer == one.answer);
  }
}

TEST_CASE("rows of no known form are refused with file and line", "[retool_summary]") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& text) {
    dualagent::write_file_atomically(folder / "t.jsonl", text);
    return error_of([&] { rows_of(folder / "t.jsonl"); });
  };
  CHECK_THAT(refusal("\n{\"q\": 1}\n"),
             ContainsSubstring("t.jsonl:2") && ContainsSubstring("no form that is known"));
  CHECK_THAT(refusal("[1]"), ContainsSubstring("no form that is known"));
  CHECK_THAT(refusal("{"), ContainsSubstring("t.jsonl:1"));
  CHECK_THAT(refusal(" \n\n"), ContainsSubstring("there are no tasks"));
}
