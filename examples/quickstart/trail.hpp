#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/data/task.hpp"
#include "vocabulary.hpp"

/// The problem: follow a trail of ledger pages and add up their amounts.
namespace quickstart {

using dualagent::RandomStream;

/// A range of whole numbers, both ends included.
struct Range {
  std::size_t least = 0;
  std::size_t most = 0;
  std::size_t draw(const RandomStream& random, std::uint64_t counter) const {
    return least + random.below(counter, most - least + 1);
  }
};

/// How hard the problems are.
struct Difficulty {
  Range pages{7, 10};       ///< on a trail
  Range noise{14, 22};      ///< letters before the entry of a page
  std::size_t budget = 80;  ///< tokens of context after which a summary is due
  bool short_sums = true;   ///< opening balance 10..49; otherwise any that keeps two digits
};

struct Entry {
  char page = 'A';
  int amount = 0;   ///< 1..9
  char next = '.';  ///< the next page; '.' after the last
};

struct Trail {
  int opening = 0;
  std::vector<Entry> entries;

  int total() const {
    int sum = opening;
    for (const Entry& entry : entries) sum += entry.amount;
    return sum;
  }
};

inline std::string two_digits(int value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

/// A random trail: distinct pages, amounts 1..5, a total of at most 99.
inline Trail make_trail(const Difficulty& difficulty, const RandomStream& random) {
  Trail trail;
  const std::size_t pages = difficulty.pages.draw(random, 0);
  const Range opening = difficulty.short_sums ? Range{10, 49} : Range{0, 99 - 5 * pages};
  trail.opening = static_cast<int>(opening.draw(random, 1));
  std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  dualagent::shuffle(std::span<char>(letters), random.child(0));
  for (std::size_t i = 0; i < pages; ++i)
    trail.entries.push_back({letters[i], static_cast<int>(Range{1, 5}.draw(random, 2 + i)),
                             i + 1 < pages ? letters[i + 1] : '.'});
  return trail;
}

/// Calls beyond the pages of the trail that an episode may make.
inline constexpr std::size_t kSpareCalls = 3;

/// "sum:T+25?": the first page and the opening balance; the length of the trail is not told.
inline dualagent::Task make_task(const Trail& trail, std::string id, std::uint64_t seed) {
  return {.id = std::move(id),
          .prompt = std::string("sum:") + trail.entries.front().page + "+" +
                    two_digits(trail.opening) + "?",
          .answer = two_digits(trail.total()),
          .seed = seed,
          .max_calls = trail.entries.size() + kSpareCalls};
}

/// What looking up a page returns: noise with one distractor "=digit", then the entry, "T=4>I".
/// The noise depends on the task's seed, the page and the number of the call only.
inline std::string page_text(const Entry& entry, const Range& noise, std::uint64_t task_seed,
                             std::size_t call) {
  const RandomStream random =
      RandomStream::from_seed(task_seed).child(static_cast<std::uint64_t>(entry.page)).child(call);
  const std::size_t length = noise.draw(random, 0);
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += static_cast<char>('a' + random.below(3 + i, 26));
  if (length >= 4) {
    const std::size_t at = Range{1, length - 3}.draw(random, 1);
    text[at] = '=';
    text[at + 1] = static_cast<char>('0' + random.below(2, 10));
  }
  return text + entry.page + "=" + static_cast<char>('0' + entry.amount) + ">" + entry.next;
}

}  // namespace quickstart
