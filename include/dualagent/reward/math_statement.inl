#pragma once

/// Definitions of math_statement.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_statement.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE MathStatement::MathStatement(MathTokens tokens) {
  const auto split = split_math(tokens, is_math_comma);
  if (!split) return;
  for (const MathTokens part : split->first)
    if (!add(part)) return;
  several_names_ = !one_name();
  readable_ = true;
  std::vector<std::optional<MathValue>> values;
  for (const Chain& chain : chains_) {
    if (several_names_ || !chain.relations.empty()) return;
    values.push_back(chain.values[0]);
  }
  value_ = MathValueReader::list_of(values);
}

DUALAGENT_INLINE bool MathStatement::equals(const MathStatement& other) const {
  if (!readable_ || !other.readable_) return false;
  if (value_ && other.value_) return same_names(other) && equal_values(*value_, *other.value_);
  return chains_.size() == other.chains_.size() && same_names(other) &&
         std::equal(chains_.begin(), chains_.end(), other.chains_.begin(), same_chain);
}

DUALAGENT_INLINE bool MathStatement::is_relation(const MathToken& token) {
  static constexpr std::array<std::string_view, 14> kRelations{
      "=",    "<",     ">",     "\\leq",      "\\geq",   "\\neq", "\\approx",
      "\\in", "\\cup", "\\cap", "\\setminus", "\\equiv", ":",     "\\rightarrow"};
  return std::find(kRelations.begin(), kRelations.end(), token.text) != kRelations.end();
}

DUALAGENT_INLINE bool MathStatement::is_name(MathTokens tokens) {
  static constexpr std::array<std::string_view, 15> kOthers{"'",
                                                            "|",
                                                            "+",
                                                            "-",
                                                            "\\angle",
                                                            "\\overline",
                                                            "\\triangle",
                                                            "\\widehat",
                                                            "\\overrightarrow",
                                                            "\\vec",
                                                            "\\Delta",
                                                            "\\prime",
                                                            "\\measuredangle",
                                                            "\\hat",
                                                            "\\bar"};
  bool letters = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const MathToken& token = tokens[i];
    if (i == 0 && token.text == "(") {  // (x, y)
      letters = std::any_of(tokens.begin(), tokens.end(), MathParser::is_variable);
      i = end_of_argument(tokens, i);
      if (i >= tokens.size()) return false;
    } else if (token.text == "_" || (token.text == "(" && letters)) {
      i = end_of_argument(tokens, token.text == "(" ? i : i + 1);
      if (i >= tokens.size()) return false;
    } else if (token.kind == MathTokenKind::letter || token.kind == MathTokenKind::word ||
               MathParser::is_variable(token)) {
      letters = true;
    } else if (token.kind != MathTokenKind::open && token.kind != MathTokenKind::close &&
               (std::find(kOthers.begin(), kOthers.end(), token.text) == kOthers.end() ||
                (i == 0 && (token.text == "-" || token.text == "+")))) {
      return false;
    }
  }
  return letters;
}

DUALAGENT_INLINE std::size_t MathStatement::end_of_argument(MathTokens tokens, std::size_t begin) {
  const std::size_t none = tokens.size();
  if (begin >= none || math_depth_change(tokens[begin]) < 1) return begin;
  const bool round = tokens[begin].text == "(";
  int depth = 0;
  for (std::size_t i = begin; i < none; ++i) {
    depth += math_depth_change(tokens[i]);
    if (depth == 0) return i;
    const std::string_view text = tokens[i].text;
    if (round && (text == "+" || text == "-" || text == "*" || text == "/" || text == "^"))
      return none;
  }
  return none;
}

DUALAGENT_INLINE bool MathStatement::add(MathTokens part) {
  auto split = split_math(part, is_relation);
  if (!split) return false;
  Chain chain{.name = {},
              .pieces = std::move(split->first),
              .relations = std::move(split->second),
              .values = {}};
  const auto names = [](std::string_view relation) {
    return relation == "=" || relation == "\\in" || relation == "\\approx";
  };
  if (!chain.relations.empty() && names(chain.relations[0]) && is_name(chain.pieces[0])) {
    chain.name = chain.pieces[0];
    chain.pieces.erase(chain.pieces.begin());
    chain.relations.erase(chain.relations.begin());
  }
  for (const MathTokens piece : chain.pieces) chain.values.push_back(reader_.read(piece));
  collapse(chain);
  parts_ += chain.pieces.size();
  chains_.push_back(std::move(chain));
  return parts_ <= kMaxMathParts;
}

DUALAGENT_INLINE void MathStatement::collapse(Chain& chain) {
  std::size_t equal = 0;  // relations of the chain that hold, from its beginning
  while (equal < chain.relations.size() && chain.relations[equal] == "=" && chain.values[equal] &&
         chain.values[equal + 1] && equal_values(*chain.values[equal], *chain.values[equal + 1]))
    ++equal;
  const bool all = equal == chain.relations.size() ||
                   (equal + 1 == chain.relations.size() && chain.relations[equal] == "\\approx");
  if (!all || chain.relations.empty() || !chain.values[equal]) return;
  chain.pieces = {chain.pieces[equal]};
  chain.values = {std::move(chain.values[equal])};
  chain.relations.clear();
}

DUALAGENT_INLINE MathTokens MathStatement::base(MathTokens name) {
  const auto end = std::find_if(name.begin(), name.end(),
                                [](const MathToken& token) { return token.text == "_"; });
  return name.first(static_cast<std::size_t>(end - name.begin()));
}

DUALAGENT_INLINE bool MathStatement::one_name() const {
  const Chain* named = nullptr;
  for (const Chain& chain : chains_) {
    if (chain.name.empty()) continue;
    if (named != nullptr && !same_tokens(base(named->name), base(chain.name))) return false;
    named = &chain;
  }
  return true;
}

DUALAGENT_INLINE bool MathStatement::same_names(const MathStatement& other) const {
  const bool several = several_names_ || other.several_names_;
  const bool whole = several || chains_.size() == 1;
  for (std::size_t i = 0; i < std::min(chains_.size(), other.chains_.size()); ++i) {
    const MathTokens name = chains_[i].name, others = other.chains_[i].name;
    if (name.empty() || others.empty()) {
      if (several) return false;
    } else if (!same_tokens(whole ? name : base(name), whole ? others : base(others))) {
      return false;
    }
  }
  return true;
}

DUALAGENT_INLINE bool MathStatement::same_piece(const Chain& a, std::size_t i, const Chain& b,
                                                std::size_t j) {
  if (a.values[i] && b.values[j]) return equal_values(*a.values[i], *b.values[j]);
  return same_tokens(a.pieces[i], b.pieces[j]);
}

DUALAGENT_INLINE bool MathStatement::same_chain(const Chain& a, const Chain& b) {
  if (a.relations != b.relations) return false;
  std::vector<std::size_t> left(a.pieces.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  std::vector<std::size_t> right = left;
  const auto same = [&](std::size_t i, std::size_t j) { return same_piece(a, i, b, j); };
  if (!a.relations.empty() && std::all_of(a.relations.begin(), a.relations.end(),
                                          [](std::string_view r) { return r == "\\cup"; })) {
    for (const std::size_t i : left) {
      const auto found =
          std::find_if(right.begin(), right.end(), [&](std::size_t j) { return same(i, j); });
      if (found == right.end()) return false;
      right.erase(found);
    }
    return true;
  }
  return std::equal(left.begin(), left.end(), right.begin(), same);
}

}  // namespace dualagent::detail
