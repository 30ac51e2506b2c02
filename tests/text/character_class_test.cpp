#include "dualagent/text/character_class.hpp"

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// The match of the expression at the front of the text.
std::string match(const char* expression, const std::string& text) {
  const ClassRun run = ClassRun::parse(expression).value();
  const char* const end = run(text.data(), text.data() + text.size());
  return end == nullptr ? "none" : std::string(text.data(), end);
}

}  // namespace

TEST_CASE("runs of a class are matched from one character on", "[text]") {
  CHECK(match("\\s?[A-Za-zé]+", " aéZ1") == " aéZ");
  CHECK(match("\\s?[A-Za-z]+", "  a") == "none");
  CHECK(match("\\s?[\\s!]+", " !x") == " !");
  CHECK(match("\\s?[\\s!]+", " x") == " ");  // the optional character gives way
  CHECK(match("\\p{N}{1,3}", "12345") == "123");
  CHECK(match("[\r\n]", "\r\n") == "\r");
  CHECK(match("[^a-c]+", "xyb") == "xy");
  CHECK(match("[\\]\\-\\x41\\u0042\\x{1F600}]+", "]-AB😀z") == "]-AB😀");
  CHECK(match("\\P{L}+", "1 a") == "1 ");
  CHECK(match("a+", "aab") == "aa");
}

TEST_CASE("sets hold what was added, as single characters and as runs", "[text]") {
  const UnicodeTable& table = UnicodeTable::get();
  CharacterSet letters, others;
  letters.add_if([&](char32_t c) { return table.is_in(c, kLetters); });
  others.add(letters);
  others.invert();
  std::vector<std::pair<char32_t, char32_t>> runs;
  bool same = true;
  for (char32_t c = 0; c < 0x110000; ++c) {
    const bool is_letter = table.is_in(c, kLetters);
    same = same && letters.contains(c) == is_letter && others.contains(c) != is_letter;
    if (!is_letter) continue;
    if (!runs.empty() && runs.back().second + 1 == c)
      runs.back().second = c;
    else
      runs.emplace_back(c, c);
  }
  CHECK(same);
  CHECK(letters.runs() == runs);
  for (const char32_t first : {0U, 1U, 63U, 64U, 100U})
    for (const char32_t last : {100U, 127U, 128U, 0x10FFFFU}) {
      CharacterSet set;
      set.add(first, last);
      CHECK(set.runs() == std::vector{std::pair{first, last}});
    }
}

TEST_CASE("a run knows which characters its matches hold", "[text]") {
  const ClassRun run = ClassRun::parse("\\s?[\\p{L}!]+").value();
  CHECK(run.contains(U'é'));
  CHECK(!run.contains(U' '));
  CHECK(run.joins(U'a', U'!'));
  CHECK(run.joins(U' ', U'a'));
  CHECK(!run.joins(U'a', U' '));
}

TEST_CASE("other expressions are not taken for one of a class", "[text]") {
  for (const char* expression : {"a|b", "(a)", "a*", "[a", "[[a]]", "[a&&b]", "\\w+", "\\p{Han}",
                                 "[z-a]", "a{2,3}", "a+b", "", "\\", "."})
    CHECK(!ClassRun::parse(expression));
}
