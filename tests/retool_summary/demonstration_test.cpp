#include "retool_summary/demonstration.hpp"

#include <string>
#include <vector>

#include "dualagent/reward/math_answer.hpp"
#include "dualagent/trace/render.hpp"
#include "retool_summary/tiny_folder.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace retool_summary;

namespace {

const WorkedTask kWorked{
    .task = {.id = "a", .prompt = "Three bags of 14 and 12 more?", .answer = "54"},
    .steps = {"3*14", "12+42"}};

Play make_tiny_play(const std::filesystem::path& folder, std::size_t budget) {
  Options options;
  options.model = folder;
  options.budget = budget;
  options.context = tiny_folder::kPositions;
  const auto tokenizer = dualagent::HuggingFaceTokenizer::from_file(folder / "tokenizer.json");
  return make_play(options, tokenizer, tiny_folder::kPositions, make_python(options));
}

std::string text_of(const Play& play, const dualagent::Context& context,
                    const dualagent::Span& span) {
  return dualagent::decode(play.dialect.tokenizer(), context.tokens(span));
}

/// What the agents say in a window, each in brackets of its own: [turn], {summary}.
std::string said(const Play& play, const dualagent::Segment& segment) {
  std::string text;
  for (const dualagent::Span& span : segment.context.spans()) {
    if (span.provenance != dualagent::Provenance::demonstration) continue;
    const bool summary = span.agent == dualagent::AgentRole::summarizer;
    text += (summary ? "{" : "[") + text_of(play, segment.context, span) + (summary ? "}" : "]");
  }
  return text;
}

std::string call_of(const std::string& program) {
  return "<tool_call>\n{\"name\": \"python\", \"arguments\": {\"code\": \"" + program +
         "\"}}\n</tool_call>";
}

}  // namespace

TEST_CASE("steps of a solution are what stands before the equals sign", "[retool_summary]") {
  CHECK(steps_of("48/2 = <<48/2=24>>24\n so <<48+24=72>>72\n#### 72") ==
        std::vector<std::string>{"48/2", "48+24"});
  CHECK(steps_of("no steps #### 3").empty());
  CHECK(steps_of("<<x+1=3>>").empty());  // not arithmetic
  CHECK(steps_of("<<=3>>").empty());
  CHECK(steps_of("<<2+2").size() == 1);  // never closes: still 2+2
}

TEST_CASE("without a limit a worked task is one window: calls, real outputs, the box",
          "[retool_summary]") {
  const TemporaryFolder folder;
  tiny_folder::write(folder / "m");
  const Play play = make_tiny_play(folder / "m", 2000);
  const std::vector<dualagent::Segment> segments = Demonstrator(play).play(kWorked);
  REQUIRE(segments.size() == 1);
  CHECK(said(play, segments[0]) == "[" + call_of("print(3*14)") + "][" + call_of("print(12+42)") +
                                       "][The answer is \\boxed{54}.<|im_end|>]");
  std::string observed;
  for (const dualagent::Span& span : segments[0].context.spans())
    if (span.provenance == dualagent::Provenance::observation)
      observed += text_of(play, segments[0].context, span);
  CHECK_THAT(observed, ContainsSubstring("<tool_response>\n42\n") &&
                           ContainsSubstring("<tool_response>\n54\n"));
}

TEST_CASE("above the budget a demonstration has a summary and goes on from it",
          "[retool_summary]") {
  const TemporaryFolder folder;
  tiny_folder::write(folder / "m");
  const std::size_t prompt = make_tiny_play(folder / "m", 2000).dialect.prompt(kWorked.task).size();
  const Play play = make_tiny_play(folder / "m", prompt + 20);  // passed by every call
  const std::vector<dualagent::Segment> segments = Demonstrator(play).play(kWorked);
  REQUIRE(segments.size() == 3);
  CHECK(said(play, segments[0]) ==
        "[" + call_of("print(3*14)") + "]{Program: print(3*14)\nOutput: 42<|im_end|>}");
  CHECK(said(play, segments[1]) ==
        "[" + call_of("print(12+42)") +
            "]{Program: print(3*14)\nOutput: 42\nProgram: print(12+42)\nOutput: 54<|im_end|>}");
  CHECK(said(play, segments[2]) == "[The answer is \\boxed{54}.<|im_end|>]");
  for (const dualagent::Segment& segment : segments) {
    const auto tokens = segment.context.tokens();
    const std::vector<dualagent::Token> opens = play.dialect.prompt(kWorked.task);
    CHECK(std::equal(opens.begin(), opens.end(), tokens.begin()));
    CHECK(tokens.size() <= tiny_folder::kPositions);
  }
}

TEST_CASE("worked tasks are those rows that have steps", "[retool_summary]") {
  const TemporaryFolder folder;
  dualagent::write_file_atomically(folder / "t.jsonl",
                                   "{\"question\": \"q\", \"answer\": \"<<1+1=2>>2\\n#### 2\"}\n"
                                   "{\"question\": \"r\", \"answer\": \"I know.\\n#### 3\"}\n");
  const std::vector<WorkedTask> worked = read_worked_tasks(folder / "t.jsonl");
  REQUIRE(worked.size() == 1);
  CHECK(worked[0].task.prompt == "q");
  CHECK(worked[0].task.answer == "2");
  CHECK(worked[0].steps == std::vector<std::string>{"1+1"});
  dualagent::write_file_atomically(folder / "t.jsonl",
                                   "{\"question\": \"r\", \"answer\": \"#### 3\"}\n");
  CHECK_THAT(error_of([&] { read_worked_tasks(folder / "t.jsonl"); }),
             ContainsSubstring("--warm-start-steps"));
}

TEST_CASE("a budget or context that the model has no room for is refused by name",
          "[retool_summary]") {
  const TemporaryFolder folder;
  tiny_folder::write(folder / "m");
  CHECK_THAT(error_of([&] { make_tiny_play(folder / "m", tiny_folder::kPositions); }),
             ContainsSubstring("--budget"));
  Options options;
  options.model = folder / "m";
  options.context = tiny_folder::kPositions + 1;
  const auto tokenizer = dualagent::HuggingFaceTokenizer::from_file(folder / "m/tokenizer.json");
  CHECK_THAT(error_of([&] {
               make_play(options, tokenizer, tiny_folder::kPositions, make_python(options));
             }),
             ContainsSubstring("--context"));
}
