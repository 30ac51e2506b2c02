#include "dualagent/core/sort_by_index.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("elements are sorted, and equal ones keep their order", "[core]") {
  using Entry = std::pair<int, std::string>;
  std::vector<Entry> entries;
  for (int i = 0; i < 100; ++i) entries.emplace_back(i * 37 % 7, std::to_string(i));
  std::vector<Entry> expected = entries;
  std::stable_sort(expected.begin(), expected.end(),
                   [](const Entry& a, const Entry& b) { return a.first < b.first; });

  sort_by_index(entries,
                [&](std::size_t i, std::size_t j) { return entries[i].first < entries[j].first; });
  CHECK(entries == expected);
}

TEST_CASE("nothing and one element are sorted already", "[core]") {
  std::vector<std::string> texts;
  const auto less = [&](std::size_t i, std::size_t j) { return texts[i] < texts[j]; };
  sort_by_index(texts, less);
  CHECK(texts.empty());
  texts = {"a"};
  sort_by_index(texts, less);
  CHECK(texts == std::vector<std::string>{"a"});
}
