#include "dualagent/text/byte_alphabet.hpp"

#include <set>
#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("the byte alphabet spells every byte by a character of its own", "[text]") {
  std::set<char32_t> characters;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    characters.insert(detail::kByteCharacters[byte]);
    std::string spelling;
    append_utf8(spelling, detail::kByteCharacters[byte]);
    CHECK(bytes_of_spelling(spelling) == std::string(1, static_cast<char>(byte)));
  }
  CHECK(characters.size() == 256);
  CHECK(bytes_of_spelling("Ġa\u010A") == " a\n");  // as GPT-2 writes a space and a line break
  CHECK(bytes_of_spelling("Ã©") == "é");
  CHECK(!bytes_of_spelling("a b"));
  CHECK(!bytes_of_spelling("中"));
  CHECK(bytes_of_spelling("") == "");
}
