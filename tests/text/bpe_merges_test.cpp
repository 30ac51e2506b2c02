#include "dualagent/text/bpe_merges.hpp"

#include <optional>
#include <vector>

#include "dualagent/core/random.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// The definition, pass by pass: of all neighbours the first merge in the list, leftmost.
std::vector<Token> merged_slowly(const std::vector<BpeMerge>& merges, std::vector<Token> word) {
  while (true) {
    std::optional<std::size_t> best, at;
    for (std::size_t i = 0; i + 1 < word.size(); ++i)
      for (std::size_t rank = 0; rank < merges.size(); ++rank)
        if (merges[rank].left == word[i] && merges[rank].right == word[i + 1] &&
            (!best || rank < *best))
          best = rank, at = i;
    if (!best) return word;
    word[*at] = merges[*best].merged;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(*at) + 1);
  }
}

}  // namespace

TEST_CASE("merges are applied as the definition says, in short words and long ones", "[text]") {
  const auto random = RandomStream::from_seed(11);
  for (std::size_t round = 0; round < 60; ++round) {
    const RandomStream draws = random.child(round);
    std::vector<BpeMerge> merges;
    for (std::size_t i = 0; i < 25; ++i) {
      const BpeMerge merge{static_cast<Token>(draws.below(3 * i, 4 + i)),
                           static_cast<Token>(draws.below(3 * i + 1, 4 + i)),
                           static_cast<Token>(4 + i)};
      bool is_new = true;
      for (const BpeMerge& other : merges)
        is_new = is_new && !(other.left == merge.left && other.right == merge.right);
      if (is_new) merges.push_back(merge);
    }
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{48},
                                   std::size_t{49}, std::size_t{200}}) {
      std::vector<Token> word(size);
      for (std::size_t i = 0; i < size; ++i) word[i] = static_cast<Token>(draws.below(1000 + i, 4));
      std::vector<Token> ours = word;
      BpeMerges(merges).apply(ours);
      CHECK(ours == merged_slowly(merges, word));
    }
  }
}

TEST_CASE("a pair given twice has its last place", "[text]") {
  const BpeMerges merges({{1, 2, 10}, {2, 3, 11}, {1, 2, 12}});
  std::vector<Token> word{1, 2, 3};
  merges.apply(word);
  CHECK(word == std::vector<Token>{1, 11});
  word = {1, 2};
  merges.apply(word);
  CHECK(word == std::vector<Token>{12});
}
