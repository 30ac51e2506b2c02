#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/character_class.hpp"
#include "dualagent/text/word_scanners.hpp"

namespace dualagent {

/// A part of a text that an expression matches: its first byte and the byte behind it.
using Match = std::pair<std::size_t, std::size_t>;

/// A regular expression of any form. Implementations can be used by several threads at once.
class Expression {
 public:
  virtual ~Expression() = default;
  /// Replaces `matches` by those in the text, from left to right, without overlap.
  virtual void find_all(std::string_view text, std::vector<Match>& matches) const = 0;
};

/// Makes expressions that no scanner is written for, e.g. Pcre2Expressions; empty: there are none.
using ExpressionMaker =
    std::function<std::shared_ptr<const Expression>(const std::string& expression)>;

/// A literal text as an expression.
class LiteralExpression final : public Expression {
 public:
  explicit LiteralExpression(std::string literal) : literal_(std::move(literal)) {}
  void find_all(std::string_view text, std::vector<Match>& matches) const override;

 private:
  std::string literal_;
};

/// What becomes of the matches of a split, as the tokenizers package names it.
enum class SplitBehavior : std::uint8_t {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous
};

/// One step of a pre-tokenizer: cuts each piece that it is given.
struct SplitStep {
  std::variant<Scanner, std::shared_ptr<const ClassRun>, std::shared_ptr<const Expression>> matcher;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;  ///< what lies between the matches takes their place
};

namespace detail {

template <class Matcher>
const char* match_at(const Matcher& matcher, const char* at, const char* end) {
  if constexpr (std::is_same_v<Matcher, Scanner>)
    return matcher(at, end);
  else
    return (*matcher)(at, end);
}

/// Calls emit(part, is_match) for all matches of a scanner and what lies between, in order.
template <class Matcher, class Emit>
void scan_parts(const Matcher& matcher, std::string_view piece, Emit&& emit) {
  const char *at = piece.data(), *end = at + piece.size(), *between = at;
  const auto part = [](const char* from, const char* to) {
    return std::string_view(from, static_cast<std::size_t>(to - from));
  };
  while (at != end) {
    const char* const found = match_at(matcher, at, end);
    if (found == nullptr) {
      at = character_at(at, end).next;
      continue;
    }
    if (between != at) emit(part(between, at), false);
    emit(part(at, found), true);
    at = between = found;
  }
  if (between != end) emit(part(between, end), false);
}

template <class Emit>
void for_each_part(const SplitStep& step, std::string_view piece, Emit&& emit) {
  if (const auto* scanner = std::get_if<Scanner>(&step.matcher))
    return scan_parts(*scanner, piece, emit);
  if (const auto* run = std::get_if<std::shared_ptr<const ClassRun>>(&step.matcher))
    return scan_parts(*run, piece, emit);
  std::vector<Match> matches;
  std::get<std::shared_ptr<const Expression>>(step.matcher)->find_all(piece, matches);
  std::size_t at = 0;
  for (const auto& [begin, end] : matches) {
    if (begin > at) emit(piece.substr(at, begin - at), false);
    if (end > begin) emit(piece.substr(begin, end - begin), true);
    at = end;
  }
  if (at < piece.size()) emit(piece.substr(at), false);
}

/// The parts after the step's behaviour; they lie in the piece.
std::vector<std::string_view> merged_parts(const SplitStep& step, std::string_view piece);

}  // namespace detail

/// Calls emit(word) for each word that the steps cut the text into, from left to right; the words
/// lie in the text.
template <class Emit>
void for_each_word(const SplitStep* step, const SplitStep* last_step, std::string_view text,
                   Emit& emit) {
  if (text.empty()) return;
  if (step == last_step) return emit(text);
  const auto next = [&](std::string_view part, bool = true) {
    if (step + 1 == last_step)
      emit(part);
    else
      for_each_word(step + 1, last_step, part, emit);
  };
  if (step->behavior == SplitBehavior::isolated) return detail::for_each_part(*step, text, next);
  for (const std::string_view part : detail::merged_parts(*step, text)) next(part);
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/pre_tokenizer.inl"
#endif
