#include "quickstart/copying.hpp"

#include <string>
#include <vector>

#include "quickstart/demonstrator.hpp"
#include "support/catch.hpp"

using namespace dualagent;
using namespace quickstart;

namespace {

/// One letter for what each token of a turn or summary copies, '-' for nothing.
std::string letters(const std::vector<Token>& said, bool first) {
  std::string text;
  for (std::size_t i = 0; i < said.size(); ++i) {
    const std::optional<Copied> copied = copied_by(said, i, first);
    text += copied ? "cbpart"[static_cast<std::size_t>(*copied)] : '-';
  }
  return text;
}

std::vector<Token> wrapped(Token begin, std::string_view inside, Token end) {
  std::vector<Token> tokens{begin};
  vocabulary::append(tokens, inside);
  tokens.push_back(end);
  return tokens;
}

/// Gives every token the probability `rightly`, but those that follow `after` one of 0.4.
struct Reader {
  Token after = -1;
  double rightly = 0.6;
  void score(const BatchColumns& batch, const OutputColumns& outputs) const {
    for (std::size_t i = 0; i < batch.size(); ++i)
      outputs.log_prob[i] = std::log(i > 0 && batch.token[i - 1] == after ? 0.4 : rightly);
  }
};

std::vector<quickstart::Episode> demonstrations(Memory memory) {
  std::vector<quickstart::Episode> episodes;
  for (std::uint64_t i = 0; i < 8; ++i)
    episodes.push_back(demonstrate_ledger(memory, Difficulty{}, Sloppiness{},
                                          RandomStream::from_seed(5).child(i)));
  return episodes;
}

}  // namespace

TEST_CASE("what a demonstration copies is told by the place in a turn or summary", "[quickstart]") {
  using namespace vocabulary;
  CHECK(letters(wrapped(call_begin, "T", call_end), true) == "-c-");
  CHECK(letters(wrapped(call_begin, "s", call_end), true) == "---");  // the choice of a book
  // <summary> L 2 5 T 4 2 9 I 2 3 1 </summary>, the example of docs/quickstart.md
  CHECK(letters(wrapped(summary_begin, "L25T429I231", summary_end), true) == "-tbbparrparr-");
  CHECK(letters(wrapped(summary_begin, "L25T429I231", summary_end), false) == "-t--parrparr-");
  CHECK(letters(wrapped(answer_begin, "38A442", answer_end), false) == "---parr-");
  CHECK(letters(wrapped(answer_begin, "38", answer_end), true) == "-bb-");
}

TEST_CASE(
    "a warm start that copies everything has formed; one that misses a kind is refused by name",
    "[quickstart]") {
  for (const Memory memory : {Memory::summaries, Memory::window, Memory::all}) {
    const std::vector<quickstart::Episode> episodes = demonstrations(memory);
    Reader reads_all;
    CHECK_NOTHROW(require_formed(measure_copying(reads_all, episodes), "here"));
    Reader unsure{.rightly = 0.5 - 1e-9};
    CHECK_THROWS_WITH(require_formed(measure_copying(unsure, episodes), "here"),
                      ContainsSubstring("has not formed") && ContainsSubstring("here") &&
                          ContainsSubstring("--warm-start-steps") &&
                          ContainsSubstring("--any-warm-start"));
  }
  Reader loses_the_trail{.after = vocabulary::summary_begin};
  const CopyAccuracy accuracy = measure_copying(loses_the_trail, demonstrations(Memory::summaries));
  CHECK(accuracy.of(Copied::next_page) == 0);
  CHECK(accuracy.of(Copied::running_total) == 1);
  CHECK(accuracy.least() == Copied::next_page);
  CHECK_THROWS_WITH(require_formed(accuracy, "here"), ContainsSubstring("\"next_page\""));
}

TEST_CASE("nine in ten are enough, less is not", "[quickstart]") {
  CopyAccuracy accuracy;
  for (int i = 0; i < 10; ++i) accuracy.count(Copied::amount, i > 0);
  CHECK_NOTHROW(require_formed(accuracy, "here"));
  accuracy.count(Copied::amount, false);
  CHECK(accuracy.of(Copied::amount) == 9.0 / 11.0);
  CHECK_THROWS(require_formed(accuracy, "here"));
}
