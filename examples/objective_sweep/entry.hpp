#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace objective_sweep {

/// A text as a template argument.
template <std::size_t N>
struct Title {
  char characters[N] = {};

  consteval Title(const char (&text)[N]) { std::copy_n(text, N, characters); }
  constexpr std::string_view text() const { return {characters, N - 1}; }
};

/// One experiment: how it is called, and the recipe that is trained.
/// Example: Entry<"GRPO, final segment", dualagent::Recipe<dualagent::Grpo,
/// dualagent::FinalSegment>>.
template <Title title, class RecipeOf>
struct Entry {
  using Recipe = RecipeOf;
  static constexpr std::string_view label = title.text();

  /// The label in small letters, for files and options: "grpo_final_segment".
  static std::string name() {
    std::string name;
    for (const char c : label) {
      const bool capital = c >= 'A' && c <= 'Z';
      const bool kept = capital || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      if (kept)
        name += capital ? static_cast<char>(c - 'A' + 'a') : c;
      else if (!name.empty() && name.back() != '_')
        name += '_';
    }
    while (!name.empty() && name.back() == '_') name.pop_back();
    return name;
  }
};

/// Calls `visit(Entry)` for each type in `Experiments::List`, a tuple. Taking the struct and not
/// the tuple keeps compiler errors short.
template <class Experiments, class Visit>
void for_each_entry(Visit&& visit) {
  using List = typename Experiments::List;
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (visit(std::tuple_element_t<i, List>{}), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<List>>{});
}

/// The names of a list of experiments, in its order.
template <class Experiments>
std::vector<std::string> entry_names() {
  std::vector<std::string> names;
  for_each_entry<Experiments>([&]<class E>(E) { names.push_back(E::name()); });
  return names;
}

}  // namespace objective_sweep
