#include "dualagent/text/word_cache.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

void check_cache(WordCache cache) {
  const auto put = [&](const std::string& word, std::vector<Token> tokens) {
    const ShortWord key(word);
    cache.put(key, key.hash(), tokens);
  };
  const auto find = [&](const std::string& word) {
    const ShortWord key(word);
    const auto found = cache.find(key, key.hash());
    if (const Token one = word.size() <= 8 ? cache.find_one(key, key.hash()) : -1; one >= 0)
      return std::vector{one};
    return std::vector<Token>(found.begin(), found.end());
  };
  CHECK(find("a").empty());
  // Words that differ only by zero bytes, length or their middle stay apart.
  std::vector<std::string> words = {"a", std::string("a\0", 2), std::string("\0a", 2),
                                    std::string(1, '\0')};
  for (std::size_t size = 3; size <= ShortWord::kMostBytes; ++size)
    for (std::size_t at = 0; at < size; ++at) {
      std::string word(size, 'x');
      word[at] = 'y';
      words.push_back(word);
    }
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::vector<Token> tokens(1 + i % WordCache::kMostTokens, static_cast<Token>(i));
    put(words[i], tokens);
    CHECK(find(words[i]) == tokens);
    for (std::size_t j = 0; j < i; ++j)
      if (const auto found = find(words[j]); !found.empty())
        CHECK(found[0] == static_cast<Token>(j));
  }
  put("many", std::vector<Token>(WordCache::kMostTokens + 1, 7));
  CHECK(find("many").empty());
}

}  // namespace

TEST_CASE("the cache gives back what was put there, or nothing", "[text]") {
  for (const std::size_t vocab_size : {0U, 100U, 1U << 20U}) check_cache(WordCache(vocab_size));
}
