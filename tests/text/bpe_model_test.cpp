#include "dualagent/text/bpe_model.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// All bytes by themselves, and the given tokens after them.
struct Vocabulary {
  TokenizerDescription file;
  std::vector<std::string> storage;
  std::vector<std::string_view> bytes;

  explicit Vocabulary(std::vector<std::string> more) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      std::string spelling;
      append_utf8(spelling, detail::kByteCharacters[byte]);
      file.vocabulary.emplace_back(spelling, static_cast<Token>(byte));
    }
    for (const std::string& spelling : more)
      file.vocabulary.emplace_back(spelling, static_cast<Token>(file.vocabulary.size()));
    for (const auto& [spelling, id] : file.vocabulary)
      storage.push_back(*bytes_of_spelling(spelling));
    bytes.assign(storage.begin(), storage.end());
  }
  std::vector<Token> encode(const std::string& word, std::vector<bool> special = {}) const {
    special.resize(bytes.size());
    const BpeModel model(file, bytes, special, "x");
    BpeScratch scratch(bytes.size());
    std::vector<Token> tokens, again;
    model.encode_word(word, scratch, tokens);
    model.encode_word(word, scratch, again);  // from the cache
    CHECK(tokens == again);
    return tokens;
  }
};

}  // namespace

TEST_CASE("words are merged, or taken whole where the merges are ignored", "[text]") {
  Vocabulary v({"ab", "abc", "bc"});  // 256, 257, 258
  v.file.merges = {{'b', 'c', 258}, {'a', 'b', 256}};
  CHECK(v.encode("abc") == std::vector<Token>{'a', 258});  // no merge makes 257
  CHECK(v.encode("ab") == std::vector<Token>{256});
  CHECK(v.encode(std::string(30, 'x') + "ab").size() == 31);
  v.file.ignore_merges = true;
  CHECK(v.encode("abc") == std::vector<Token>{257});
}

TEST_CASE("nothing merges to a special token", "[text]") {
  Vocabulary v({"ab"});
  v.file.merges = {{'a', 'b', 256}};
  std::vector<bool> special(257);
  special[256] = true;
  CHECK(v.encode("ab", special) == std::vector<Token>{'a', 'b'});
  v.file.ignore_merges = true;
  CHECK(v.encode("ab", special) == std::vector<Token>{'a', 'b'});
  special['a'] = true;
  CHECK(error_of([&] { v.encode("a", special); }).find("no token 'a' for byte 97") !=
        std::string::npos);
}
