#include "dualagent/text/unicode_classes.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("characters have the categories of Unicode 16", "[text]") {
  const UnicodeTable& table = UnicodeTable::get();
  std::size_t letters = 0, marks = 0, numbers = 0, spaces = 0, digits = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    letters += table.is_in(c, kLetters);
    marks += table.is_in(c, kMarks);
    numbers += table.is_in(c, kNumbers);
    spaces += table.is_space(c);
    digits += table.is_number(c);
  }
  // Counts of DerivedGeneralCategory-16.0.0.txt and PropList-16.0.0.txt.
  CHECK(letters == 141'028);
  CHECK(marks == 2'501);
  CHECK(numbers == 1'911);
  CHECK(spaces == 25);
  CHECK(digits == 1'911 + 13);  // U+11DE0..U+11DE9 and U+16FF4..U+16FF6 of Unicode 17
  CHECK(table.category(U'A') == Category::Lu);
  CHECK(table.category(U'ǅ') == Category::Lt);
  CHECK(table.category(U'_') == Category::Pc);
  CHECK(table.category(0xD800) == Category::Cn);
}

TEST_CASE("categories are found by name", "[text]") {
  CHECK(categories_of("L") == kLetters);
  CHECK(categories_of("Nd") == set_of(Category::Nd));
  CHECK(!categories_of("Han"));
  CHECK(!categories_of(""));
  CHECK(!categories_of("l"));
}

TEST_CASE("characters are read and written in UTF-8", "[text]") {
  for (const char32_t c : {U'a', U'é', U'中', U'😀', char32_t{0x10FFFF}, char32_t{0}}) {
    std::string text;
    append_utf8(text, c);
    const CharacterAt read = character_at(text.data(), text.data() + text.size());
    CHECK(read.code_point == c);
    CHECK(read.next == text.data() + text.size());
  }
  const std::string broken = "\xE4\xB8";
  CHECK(character_at(broken.data(), broken.data() + 2).code_point == 0x10FFFF);
  CHECK(character_at(broken.data(), broken.data() + 2).next == broken.data() + 1);
}
