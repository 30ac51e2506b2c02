#include "dualagent/data/task_format.hpp"

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

template <class Format>
void refused(const Format& format, const std::string& row, const std::string& why) {
  INFO(row);
  CHECK_THROWS_WITH(format.read(row, 3, "f.jsonl:3"),
                    ContainsSubstring("f.jsonl:3") && ContainsSubstring(why));
}

}  // namespace

TEST_CASE("rows of GSM8K give the number after the last hashes", "[data]") {
  const Task task = Gsm8kRows{}.read(
      R"({"question": "How many?", "answer": "48/2 = <<48/2=24>>24\n#### no\n#### 1,072 "})", 5,
      "f.jsonl:5");
  CHECK(task.id == "gsm8k-5");
  CHECK(task.prompt == "How many?");
  CHECK(task.answer == "1,072");
  for (const auto& [solution, number] :
       std::vector<std::pair<std::string, std::string>>{{"so\\n#### 42\\nThat is all.", "42"},
                                                        {"#### 42 ####", "42"},
                                                        {"#### 42 ####\\nDone.", "42"},
                                                        {"#### 42 %", "42"},
                                                        {"#### 42.", "42"},
                                                        {"#### $1.50 each", "1.50"},
                                                        {"#### -7 degrees", "-7"},
                                                        {"####\\n5", "5"}}) {
    INFO(solution);
    CHECK(Gsm8kRows{}.read(R"({"question": "?", "answer": ")" + solution + "\"}", 1, "f").answer ==
          number);
  }
  refused(Gsm8kRows{}, R"({"question": "?", "answer": "#### none"})", "begin with a number");
  refused(Gsm8kRows{}, R"({"question": "?", "answer": "72"})", "nothing follows \"####\"");
  refused(Gsm8kRows{}, R"({"question": "?", "answer": "#### "})", "nothing follows \"####\"");
  refused(Gsm8kRows{}, R"({"question": "", "answer": "#### 1"})", "question is empty");
  refused(Gsm8kRows{}, R"({"answer": "#### 1"})", "no \"question\"");
  refused(Gsm8kRows{}, R"({"question": 4, "answer": "#### 1"})", "\"question\" is not a text");
  refused(Gsm8kRows{}, R"(["question"])", "not a JSON object");
}

TEST_CASE("rows of the reference system give messages and label", "[data]") {
  const MessageRows rows;
  const Task task = rows.read(
      R"({"prompt": [{"role": "user", "content": "Find $n$."}], "label": "073", "metadata": {}})",
      2, "f.jsonl:2");
  CHECK(task.id == "row-2");
  CHECK(task.prompt == "Find $n$.");
  CHECK(task.answer == "073");
  CHECK(!task.system);
  const Task plain = rows.read(R"({"id": 17, "prompt": "Find it.", "label": -4})", 2, "f.jsonl:2");
  CHECK(plain.id == "17");
  CHECK(plain.prompt == "Find it.");
  CHECK(plain.answer == "-4");
  refused(rows, R"({"prompt": "<|im_start|>user\nhi<|im_end|>", "label": "1"})",
          "chat template already");
  refused(rows, R"({"prompt": "x", "label": 0.5})", "\"label\" is not a text");
  refused(rows, R"({"prompt": "x"})", "no \"label\"");
  refused(rows, R"({"label": "x"})", "no \"prompt\"");
  refused(rows, R"({"prompt": "", "label": "1"})", "is empty");
  refused(rows, R"({"prompt": 3, "label": "1"})", "neither a text nor a list");
}

TEST_CASE("rows of DAPO-Math have the answer inside an object", "[data]") {
  const MessageRows dapo{.answer_key = "reward_model/ground_truth"};
  const std::string prompt = R"({"prompt": [{"role": "user", "content": "Find $n$."}], )";
  CHECK(dapo.read(prompt + R"("reward_model": {"ground_truth": "34", "style": "rule"}})", 1, "f")
            .answer == "34");
  CHECK(dapo.read(prompt + R"("reward_model": {"ground_truth": -7}})", 1, "f").answer == "-7");
  refused(dapo, prompt + R"("label": "34"})", "no \"reward_model\"");
  refused(dapo, prompt + R"("reward_model": "34"})", "\"reward_model\" is not a JSON object");
  refused(dapo, prompt + R"("reward_model": {"style": "rule"}})", "no \"ground_truth\"");
}

TEST_CASE("rows of a problem and its answer", "[data]") {
  const Task task = ProblemRows{}.read(
      R"({"id": 60, "problem": "Find $n$.", "solution": "...", "answer": "204", "year": 2024})", 4,
      "f.jsonl:4");
  CHECK(task.id == "60");
  CHECK(task.prompt == "Find $n$.");
  CHECK(task.answer == "204");
  const ProblemRows questions{.problem_key = "question"};
  const Task plain = questions.read(R"({"question": "1 + 1?", "answer": 2})", 4, "f.jsonl:4");
  CHECK(plain.id == "problem-4");
  CHECK(plain.answer == "2");
  refused(ProblemRows{}, R"({"question": "?", "answer": "1"})", "no \"problem\"");
  refused(ProblemRows{}, R"({"problem": "?", "anser": "1"})", "it has \"anser\"");
  refused(ProblemRows{}, R"({"problem": "?", "answer": 0.5})", "\"answer\" is not a text");
  refused(ProblemRows{}, R"({"problem": "", "answer": "1"})", "is empty");
  refused(ProblemRows{}, R"([1])", "not a JSON object");
}

TEST_CASE("a second row behind a NUL byte is refused, not lost", "[data]") {
  const std::string nul(1, '\0');
  const std::string own = R"({"id": "a", "prompt": "p", "answer": "x"})";
  refused(TaskRows{}, own + nul + own, "byte 41 is NUL (f.jsonl:3). A row is");
  refused(TaskRows{}, own + nul, "is NUL");
  const std::string gsm = R"({"question": "?", "answer": "#### 1"})";
  refused(Gsm8kRows{}, gsm + nul + gsm, "is NUL (f.jsonl:3). A row of GSM8K is");
  const std::string chat = R"({"prompt": "p", "label": "1"})";
  refused(MessageRows{}, chat + nul + chat, "is NUL");
  refused(TaskRows{}, own + own, "not valid JSON");
}

TEST_CASE("chats give the last message as the reference answer", "[data]") {
  const MessageRows chats{.messages_key = "messages", .answer_key = "", .id_prefix = "chat-"};
  const Task task = chats.read(
      R"({"messages": [{"role": "system", "content": "Be brief."},
                       {"role": "user", "content": [{"type": "text", "text": "1 + "},
                                                    {"type": "text", "text": "1?"}]},
                       {"role": "assistant", "content": "2"}]})",
      9, "f.jsonl:9");
  CHECK(task.id == "chat-9");
  CHECK(task.system == "Be brief.");
  CHECK(task.prompt == "1 + 1?");
  CHECK(task.answer == "2");
  const std::string user = R"({"role": "user", "content": "u"})";
  const std::string assistant = R"({"role": "assistant", "content": "a"})";
  const auto of = [](const std::string& messages) { return "{\"messages\": [" + messages + "]}"; };
  refused(chats, of(user), "the messages are by: user");
  refused(chats, of(user + "," + assistant + "," + user + "," + assistant),
          "by: user, assistant, user, assistant");
  refused(chats, of(""), "by: nobody");
  refused(chats, of("3"), "a message is not a JSON object");
  refused(chats, of(R"({"role": "user", "content": [{"type": "image_url"}]})"), "not text");
  refused(chats, of(R"({"role": "user", "content": null})"), "\"content\" is not a text");
  refused(chats, of(R"({"content": "u"})"), "no \"role\"");
}

TEST_CASE("a misspelt key is named instead of the one that is missing", "[data]") {
  refused(TaskRows{}, R"({"id": "a", "prompt": "p", "answr": "1"})",
          "unknown key \"answr\"; did you mean \"answer\"?");
  refused(TaskRows{}, R"({"id": "a", "prompt": "p", "answer": "1", "max_cals": 3})",
          "did you mean \"max_calls\"?");
  refused(TaskRows{}, R"({"id": "a", "prompt": "p", "answer": "1", "difficulty": 3})",
          "unknown key \"difficulty\"");
  refused(Gsm8kRows{}, R"({"qestion": "?", "answer": "#### 1"})",
          "no \"question\"; it has \"qestion\"");
  refused(MessageRows{}, R"({"prompt": "x", "lable": "1"})", "no \"label\"; it has \"lable\"");
  refused(MessageRows{}, R"({"promt": "x", "label": "1"})", "no \"prompt\"; it has \"promt\"");
}
