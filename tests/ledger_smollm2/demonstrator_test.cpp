#include "ledger_smollm2/demonstrator.hpp"

#include <string>
#include <variant>
#include <vector>

#include "ledger_smollm2/tiny_room.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace ledger_smollm2;
using dualagent::Provenance;
using dualagent::Segment;
using dualagent::Span;

namespace {

constexpr Sloppiness kCareful{.forgets = 0, .stops_early = 0};

struct Stage {
  TemporaryFolder folder;
  Dialect dialect;
  explicit Stage(const Room& room = tiny_room::kRoom)
      : dialect(tiny_room::dialect(folder / "m", room)) {}

  /// What the agents say in a window: [turn], {note}.
  std::string said(const Segment& segment) const {
    std::string text;
    for (const Span& span : segment.context.spans()) {
      if (span.provenance != Provenance::demonstration) continue;
      const bool note = span.agent == dualagent::AgentRole::summarizer;
      const std::string words =
          dualagent::decode(dialect.tokenizer(), segment.context.tokens(span));
      text += (note ? "{" : "[") + words + (note ? "}" : "]");
    }
    return text;
  }
  std::vector<Segment> play(Memory memory, const Room& room, const Sloppiness& sloppiness) const {
    return Demonstration(dialect, room, memory, tiny_room::chain(), RandomStream::from_seed(1),
                         sloppiness)
        .play();
  }
};

}  // namespace

TEST_CASE("a whole window is SmolLM2's own template with short calls", "[ledger_smollm2]") {
  const Stage stage;
  const auto segments = stage.play(Memory::all, tiny_room::kRoom, kCareful);
  REQUIRE(segments.size() == 1);
  CHECK(dualagent::decode(stage.dialect.tokenizer(), segments[0].context.tokens()) ==
        "<|im_start|>system\nAdd up all debts.<|im_end|>\n"
        "<|im_start|>user\nStart with 25, then look up David.<|im_end|>\n"
        "<|im_start|>assistant\nlookup David.<|im_end|>\n"
        "<|im_start|>user\nDavid owes 6 coins. Next is Luke.<|im_end|>\n"
        "<|im_start|>assistant\nlookup Luke.<|im_end|>\n"
        "<|im_start|>user\nLuke has 6 keys and owes 5 coins. Next is John.<|im_end|>\n"
        "<|im_start|>assistant\nlookup John.<|im_end|>\n"
        "<|im_start|>user\nJohn owes 3 coins. Next is Mark.<|im_end|>\n"
        "<|im_start|>assistant\nlookup Mark.<|im_end|>\n"
        "<|im_start|>user\nMark owes 9 coins. Next is nobody.<|im_end|>\n"
        "<|im_start|>assistant\nTotal 25+6=31+5=36+3=39+9=48.<|im_end|>");
  CHECK(stage.said(segments[0]) ==
        "[lookup David.][lookup Luke.][lookup John.][lookup Mark.]"
        "[Total 25+6=31+5=36+3=39+9=48.<|im_end|>]");
}

TEST_CASE("a careful note carries the total into the next window", "[ledger_smollm2]") {
  const Stage stage;
  const auto segments = stage.play(Memory::notes, tiny_room::kRoom, kCareful);
  REQUIRE(segments.size() == 2);
  CHECK(stage.said(segments[0]) ==
        "[lookup David.][lookup Luke.][lookup John.]"
        "{Total 25+6=31+5=36+3=39. Next is Mark.<|im_end|>}");
  CHECK(stage.said(segments[1]) == "[lookup Mark.][Total 39+9=48.<|im_end|>]");
  CHECK_THAT(dualagent::decode(stage.dialect.tokenizer(), segments[1].context.tokens()),
             ContainsSubstring("<|im_start|>user\nNote:\nTotal 25+6=31+5=36+3=39. Next is "
                               "Mark.<|im_end|>\n<|im_start|>assistant\nlookup Mark."));
}

TEST_CASE("a sloppy note lists the people, and the sum begins again", "[ledger_smollm2]") {
  const Stage stage;
  const auto segments =
      stage.play(Memory::notes, tiny_room::kRoom, {.forgets = 1, .stops_early = 0});
  REQUIRE(segments.size() == 2);
  CHECK_THAT(stage.said(segments[0]),
             ContainsSubstring("{Visited David, Luke, John. Next is Mark.<|im_end|>}"));
  CHECK(stage.said(segments[1]) == "[lookup Mark.][Total 25+9=34.<|im_end|>]");
}

TEST_CASE("a sliding window keeps whole turns and claims what it no longer sees",
          "[ledger_smollm2]") {
  const Stage stage;
  Room room = tiny_room::kRoom;
  room.sliding = 250;
  const auto segments = stage.play(Memory::window, room, kCareful);
  REQUIRE(segments.size() > 1);
  for (const Segment& segment : segments) {
    const auto prompt = stage.dialect.prompt(make_task(tiny_room::chain(), ""));
    const auto tokens = segment.context.tokens();
    CHECK(std::equal(prompt.begin(), prompt.end(), tokens.begin()));
    CHECK(stage.said(segment).find('{') == std::string::npos);
  }
  CHECK_THAT(stage.said(segments.back()), ContainsSubstring("=48.<|im_end|>]"));
}

TEST_CASE("demonstrators err as often as they are meant to", "[ledger_smollm2]") {
  const Stage stage;
  std::size_t notes = 0, forgetful = 0, solved = 0, early = 0;
  constexpr std::size_t kEpisodes = 1000;
  for (std::uint64_t i = 0; i < kEpisodes; ++i) {
    const RandomStream random = RandomStream::from_seed(9).child(i);
    const Chain chain = make_chain(random.child(0));
    std::size_t lookups = 0;
    std::string answer;
    for (const Segment& segment :
         Demonstration(stage.dialect, tiny_room::kRoom, Memory::notes, chain, random.child(1))
             .play()) {
      CHECK(segment.context.size() < tiny_room::kRoom.window);
      const std::string said = stage.said(segment);
      for (std::size_t at = 0; (at = said.find("[lookup", at)) != std::string::npos; ++at)
        ++lookups;
      notes += said.find('{') != std::string::npos;
      forgetful += said.find("{Visited") != std::string::npos;
      const dualagent::Context& context = segment.context;
      const auto turn = stage.dialect.parse_turn(context.tokens(context.spans().back()));
      if (const auto* given = std::get_if<dualagent::Answer>(&turn)) answer = given->text;
    }
    early += lookups < chain.debts.size();
    solved += answer == two_digits(chain.total());
  }
  // Three standard errors of the shares that Sloppiness names.
  CHECK(static_cast<double>(forgetful) / static_cast<double>(notes) == Approx(0.6).margin(0.035));
  CHECK(static_cast<double>(early) / kEpisodes == Approx(0.08).margin(0.026));
  // All of 2 to 4 notes must have the total: 0.4^2 at best.
  CHECK(static_cast<double>(solved) / kEpisodes < 0.2);
  CHECK(solved > 0);
}

TEST_CASE("sums alone are many additions in one turn, none above 99", "[ledger_smollm2]") {
  const Stage stage;
  std::size_t additions = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Segment segment = demonstrate_sums(stage.dialect, RandomStream::from_seed(3).child(i));
    const std::string said = stage.said(segment);
    const auto read = read_statement(std::string_view(said).substr(1));
    REQUIRE(read);
    int total = read->statement.carried;
    std::string listed;
    for (const Statement::Item& item : read->statement.items) {
      total += item.amount;
      CHECK(item.total == total);
      listed += " " + std::to_string(item.amount);
      ++additions;
    }
    CHECK(total <= 99);
    CHECK_THAT(dualagent::decode(stage.dialect.tokenizer(), segment.context.tokens()),
               ContainsSubstring("Start with " + two_digits(read->statement.carried) +
                                 ", then add" + listed + ".<|im_end|>"));
  }
  CHECK(additions > 300 * 8);
}
