#include "dualagent/text/nfc.hpp"

#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/hostile_texts.hpp"

using namespace dualagent;

namespace {

std::string nfc(std::string_view text) {
  std::string form;
  append_nfc(text, form);
  return form;
}

}  // namespace

TEST_CASE("texts are composed as The Unicode Standard says", "[text][nfc]") {
  // Of NormalizationTest.txt and UAX #15.
  const std::pair<const char*, const char*> cases[] = {
      {"plain", "plain"},
      {"e\u0301", "é"},
      {"\u1E0A\u0323", "\u1E0C\u0307"},  // the mark below comes first
      {"D\u0307\u0323", "\u1E0C\u0307"},
      {"\u1E14\u0304", "\u1E14\u0304"},
      {"\u212B\u2126", "ÅΩ"},                      // singletons
      {"\u0958", "\u0915\u093C"},                  // excluded from composition
      {"\u1112\u1161\u11AB\u1100\u1161", "한가"},  // Hangul
      {"\uAC00\u11A8", "각"},
      {"\uFA0E\uF900", "\uFA0E\u8C48"},
      {"a\u0305\u0315\u0300\u05AE\u0062", "a\u05AE\u0305\u0300\u0315b"},
      {"\u0344", "\u0308\u0301"},
      {"q\u0301\u0323x", "q\u0323\u0301x"},
      {"e\u0301e\u0301", "éé"},
      {"\u0301e", "\u0301e"}};
  for (const auto& [text, form] : cases) {
    CAPTURE(text);
    CHECK(nfc(text) == form);
    CHECK(nfc(std::string("x ") + text + " y") == std::string("x ") + form + " y");
  }
}

TEST_CASE("normalising twice changes nothing, and the quick check is right", "[text][nfc]") {
  const auto random = RandomStream::from_seed(3);
  for (std::size_t i = 0; i < 4000; ++i) {
    const std::string text = hostile_text(random.child(i));
    CHECK(nfc(nfc(text)) == nfc(text));
    if (is_surely_nfc(text)) CHECK(nfc(text) == text);
  }
  CHECK(is_surely_nfc("ASCII, Ünïcödé, 中文"));
  CHECK(!is_surely_nfc("e\u0301"));
  CHECK(nfc("e\xFF\u0301\xC3") == "e\xFF\u0301\xC3");  // bytes that are not UTF-8 stay
}
