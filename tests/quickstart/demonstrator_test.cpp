#include "quickstart/demonstrator.hpp"

#include <string>
#include <vector>

#include "quickstart/failures.hpp"
#include "support/catch.hpp"

using namespace dualagent;
using namespace quickstart;

namespace {

constexpr Sloppiness kFaultless{.forgets = 0, .stops_early = 0};

std::vector<Segment> demonstrate(Memory memory, const Sloppiness& sloppiness, std::uint64_t i,
                                 std::size_t budget = 80) {
  Difficulty difficulty;
  difficulty.budget = budget;
  return Demonstration(memory, difficulty, sloppiness, RandomStream::from_seed(3).child(i)).play();
}

std::string text_of(const Context& context, const Span& span) {
  std::string text;
  for (const Token token : context.tokens(span)) text += vocabulary::text(token);
  return text;
}

/// The amounts that the observations of a context show, added to its prompt's opening balance.
int true_total(const std::vector<Segment>& segments) {
  int total = 0;
  std::size_t shown = 0;
  for (const Segment& segment : segments)
    for (const Span& span : segment.context.spans()) {
      const std::string text = text_of(segment.context, span);
      if (span.provenance == Provenance::prompt && shown++ == 0)
        total = std::stoi(text.substr(text.find('+') + 1, 2));
      if (span.provenance == Provenance::observation)
        total += text.at(text.rfind('>', text.size() - 7) - 1) - '0';
    }
  return total;
}

int stated_total(const Segment& last) {
  const Span& span = last.context.spans().back();
  const std::string text = text_of(last.context, span);
  return std::stoi(text.substr(text.size() - std::string("</answer>").size() - 2, 2));
}

}  // namespace

TEST_CASE("a faultless demonstration with summaries ends with the true total", "[quickstart]") {
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::vector<Segment> segments = demonstrate(Memory::summaries, kFaultless, i);
    CHECK(segments.size() >= 2);
    CHECK(stated_total(segments.back()) == true_total(segments));
    for (const Segment& segment : segments) CHECK(segment.context.size() <= 136);
  }
}

TEST_CASE("without a limit the whole history is one segment", "[quickstart]") {
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::vector<Segment> segments = demonstrate(Memory::all, kFaultless, i);
    REQUIRE(segments.size() == 1);
    CHECK(segments[0].context.size() <= 400);
    CHECK(segments[0].context.size() > 136);
    CHECK(stated_total(segments[0]) == true_total(segments));
  }
}

TEST_CASE("a window's demonstrations state the true total, copies are not trained",
          "[quickstart]") {
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::vector<Segment> segments = demonstrate(Memory::window, kFaultless, i, 100);
    std::size_t calls = 0;
    for (const Segment& segment : segments) {
      CHECK(segment.context.size() <= 136);
      for (const Span& span : segment.context.spans())
        calls += span.provenance == Provenance::demonstration ? 1 : 0;
    }
    CHECK(calls - 1 >= 7);  // each page is demonstrated once, and the answer
    CHECK(calls - 1 <= 10);
    const Segment& last = segments.back();
    const std::string prompt = text_of(last.context, last.context.spans()[0]);
    CHECK(stated_total(last) >= std::stoi(prompt.substr(prompt.find('+') + 1, 2)) + 7);
  }
}

TEST_CASE("sloppy agents forget and stop early about as often as they are told", "[quickstart]") {
  int early = 0;
  int forgot = 0;
  int later_summaries = 0;
  const int episodes = 600;
  for (int i = 0; i < episodes; ++i) {
    const std::vector<Segment> segments =
        demonstrate(Memory::summaries, Sloppiness{}, 1000 + static_cast<unsigned>(i));
    std::string carried;
    bool complete = false;
    for (const Segment& segment : segments)
      for (const Span& span : segment.context.spans()) {
        const std::string text = text_of(segment.context, span);
        if (span.provenance == Provenance::observation) complete = text.ends_with(">.</obs>");
        if (span.provenance != Provenance::demonstration || span.agent != AgentRole::summarizer)
          continue;
        const std::string opening = text.substr(10, 2);  // <summary>LDD...DD</summary>
        if (!carried.empty()) {
          ++later_summaries;
          forgot += opening != carried ? 1 : 0;
        }
        carried = text.substr(text.size() - 12, 2);
      }
    early += complete ? 0 : 1;
  }
  CHECK(early > 0.10 * episodes);
  CHECK(early < 0.20 * episodes);
  CHECK(forgot > 0.43 * later_summaries);
  CHECK(forgot < 0.57 * later_summaries);
}

TEST_CASE("the stream of demonstrations is a pure function of the step", "[quickstart]") {
  const RandomStream random = RandomStream::from_seed(9);
  DemonstrationStream forward(Memory::summaries, 130, 8, random);
  DemonstrationStream jumping(Memory::summaries, 130, 8, random);
  std::vector<std::vector<Token>> first;
  for (std::size_t step = 0; step < 130; ++step)
    first.emplace_back(forward.at(step)[3].context.tokens().begin(),
                       forward.at(step)[3].context.tokens().end());
  for (const std::size_t step : {129u, 0u, 64u, 17u, 18u, 35u, 50u, 16u}) {
    const auto segments = jumping.at(step);
    REQUIRE(segments.size() == 8);
    const auto tokens = segments[3].context.tokens();
    CHECK(std::vector<Token>(tokens.begin(), tokens.end()) == first[step]);
  }
  CHECK(first[0].size() < 50);  // the curriculum begins with short problems
}

TEST_CASE("no demonstrator forgets before the last stage of a warm start", "[quickstart]") {
  constexpr std::size_t kSteps = 200;
  constexpr std::size_t kLastStage = 77;  // 38.5 % of the steps
  std::vector<double> asked;
  DemonstrationStream stream(Memory::summaries, kSteps, 8, RandomStream::from_seed(9),
                             [&](Memory memory, const Difficulty& difficulty,
                                 const Sloppiness& sloppiness, const RandomStream& random) {
                               asked.push_back(sloppiness.forgets);
                               return demonstrate_ledger(memory, difficulty, sloppiness, random);
                             });
  const auto forgetfulness = [&](std::size_t step) {
    asked.clear();
    (void)stream.at(step);
    REQUIRE_FALSE(asked.empty());  // the step begins a block
    return asked.back();
  };
  CHECK(forgetfulness(0) == 0.0);
  CHECK(forgetfulness(32) == 0.0);
  CHECK(forgetfulness(kLastStage - 1) == 0.0);
  CHECK(forgetfulness(kLastStage) == 0.50);
  CHECK(forgetfulness(kSteps - 1) == 0.50);
}
