#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/added_tokens.hpp"
#include "dualagent/text/pre_tokenizer.hpp"
#include "dualagent/text/unicode_classes.hpp"
#include "dualagent/text/word_scanners.hpp"

namespace dualagent {

/// Where a text can be cut so that the tokens of both parts, joined, are those of the whole text,
/// whatever its second part goes on with.
///
/// Three kinds of places come into question: between any character but white space and a space,
/// between an ASCII letter or digit and a line feed, and between a letter beyond ASCII and one of
/// 、。，; no form of normalisation joins what stands there. A place counts if every step of the
/// pre-tokenizer leaves it alone or cuts there, one does, and no added token can reach across.
/// Expressions that no scanner is written for, and parts that are merged, have no such places.
class TextCuts {
 public:
  TextCuts() = default;
  explicit TextCuts(std::span<const SplitStep> steps);

  /// No cut where this token might be found on both sides, look at the other side or take white
  /// space from it. `spelling` is what it is looked for by.
  void keep(const AddedToken& token, std::string_view spelling);

  /// The last place in the text, at `from` or behind it; 0: there is none. Time: what it passes.
  std::size_t last(std::string_view text, std::size_t from) const {
    for (std::size_t at = text.size(); at-- > from && at > 0;)
      if (is_cut(text, at)) return at;
    return 0;
  }

 private:
  using ClassRunPointer = std::shared_ptr<const ClassRun>;
  struct After {
    bool space = false, line = false;
  };

  static std::size_t pair(char first, char second) {
    return static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8U |
           static_cast<unsigned char>(second);
  }

  /// Whether its matches are those of one of the scanners or of a class, and are not merged.
  static bool is_simple(const SplitStep& step);

  /// Whether no step's match holds both characters, and one always cuts between them. The scanners
  /// of words always do.
  bool is_cut(std::span<const SplitStep> steps, char32_t first, char32_t second) const;

  bool is_cut(std::string_view text, std::size_t at) const;

  static char32_t last_character(std::string_view text);

  std::array<After, 128> after_{};  // of ASCII characters: whether a cut may follow
  bool finds_words_ = false;        // a scanner of words cuts everywhere said above
  std::bitset<0x10000> forbidden_;  // pairs of bytes around a place that is none
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/text_cuts.inl"
#endif
