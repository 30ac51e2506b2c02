#include "dualagent/core/printable.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
const std::string kReplacement = "\xEF\xBF\xBD";
}

TEST_CASE("UTF-8 is decoded strictly", "[core][printable]") {
  struct Case {
    std::string text;
    char32_t code_point;
    std::size_t size_bytes;
  };
  for (const Case& c :
       {Case{"A", 'A', 1}, Case{std::string(1, '\0'), 0, 1}, Case{"\x7F", 0x7F, 1},
        Case{"\xC2\x80", 0x80, 2}, Case{"\xC3\xA4", 0xE4, 2}, Case{"\xDF\xBF", 0x7FF, 2},
        Case{"\xE0\xA0\x80", 0x800, 3}, Case{"\xED\x9F\xBF", 0xD7FF, 3},
        Case{"\xEE\x80\x80", 0xE000, 3}, Case{"\xEF\xBF\xBF", 0xFFFF, 3},
        Case{"\xF0\x90\x80\x80", 0x10000, 4}, Case{"\xF4\x8F\xBF\xBF", 0x10FFFF, 4}}) {
    const DecodedCharacter decoded = decode_utf8(c.text + "x");
    CHECK(decoded.valid);
    CHECK(decoded.code_point == c.code_point);
    CHECK(decoded.size_bytes == c.size_bytes);
    std::string written;
    append_utf8(written, c.code_point);
    CHECK(written == c.text);
  }
}

TEST_CASE("broken UTF-8 costs one byte", "[core][printable]") {
  for (const std::string text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2x", "\xE0\x9F\xBF", "\xE2\x82",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF", "\xFE", "\xF0\x9F\x98"}) {
    const DecodedCharacter decoded = decode_utf8(text);
    CHECK(!decoded.valid);
    CHECK(decoded.size_bytes == 1);
  }
}

TEST_CASE("the first byte that is not UTF-8 is found wherever it stands", "[core][printable]") {
  CHECK(valid_utf8_bytes("") == 0);
  CHECK(is_utf8(""));
  // ASCII is skipped eight bytes at a time: a fault in each place of three such pieces, behind
  // characters of one to four bytes.
  const std::string front[] = {"", "x", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (const std::string& characters : front)
    for (std::size_t plain = 0; plain < 24; ++plain)
      for (const std::string fault : {"\x80", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
        const std::string valid = characters + std::string(plain, 'a');
        CHECK(is_utf8(valid));
        CHECK(valid_utf8_bytes(valid + fault + "tail of 8 bytes") == valid.size());
        CHECK(!is_utf8(valid + fault));
        CHECK(valid_utf8_bytes(valid + "\xE2\x82") == valid.size());  // it ends in a character
      }
}

TEST_CASE("characters are counted, invalid bytes as one", "[core][printable]") {
  CHECK(count_characters("") == 0);
  CHECK(count_characters("na\xC3\xAFve") == 5);
  CHECK(count_characters("\xFF\xFE") == 2);
  CHECK(count_characters("\xE2\x94\x81\xF0\x9F\x98\x80") == 2);
}

TEST_CASE("text that people wrote stays as it is", "[core][printable]") {
  for (const std::string text :
       {"", "plain \\n text", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "a b~"})
    CHECK(printable(text) == text);
}

TEST_CASE("control characters become visible", "[core][printable]") {
  CHECK(printable("a\nb\r\tc") == "a\\nb\\r\\tc");
  CHECK(printable("\x1b[31m") == "\\x1b[31m");
  CHECK(printable(std::string("\0", 1)) == "\\x00");
  CHECK(printable("\x7F") == "\\x7f");
  CHECK(printable("\xC2\x9B") == "\\x9b");  // a terminal's one-byte escape
  CHECK(printable("\xE2\x80\xAE") == "\\u{202e}");
  CHECK(printable("\xE2\x81\xA6") == "\\u{2066}");
  CHECK(printable("\xE2\x80\xA8") == "\\u{2028}");
  CHECK(printable("\xEF\xBB\xBF") == "\\u{feff}");
  CHECK(printable("\xEF\xBF\xBE") == "\\u{fffe}");
  CHECK(printable("\xD8\x9C") == "\\u{61c}");
}

TEST_CASE("line breaks and tabs stay where they are wanted, carriage returns never",
          "[core][printable]") {
  CHECK(printable("a\n\tb", LineBreaks::keep) == "a\n\tb");
  CHECK(printable("a\rb\x1b", LineBreaks::keep) == "a\\rb\\x1b");
}

TEST_CASE("what is not UTF-8 becomes replacement characters, one per byte", "[core][printable]") {
  CHECK(printable("a\xFF\x62") == "a" + kReplacement + "b");
  CHECK(printable("\xE2\x82") == kReplacement + kReplacement);
}

TEST_CASE("whatever goes in, valid UTF-8 without control characters comes out",
          "[core][printable]") {
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b) {
      std::string text{static_cast<char>(a), static_cast<char>(b)};
      const std::string shown = printable(text);
      bool good = !shown.empty();
      for (std::string_view rest = shown; !rest.empty();) {
        const DecodedCharacter c = decode_utf8(rest);
        good = good && c.valid && c.code_point >= 0x20 &&
               (c.code_point < 0x7F || c.code_point >= 0xA0);
        rest.remove_prefix(c.size_bytes);
      }
      if (!good) FAIL("bytes " << a << " " << b << " are shown as " << shown);
    }
  SUCCEED();
}
