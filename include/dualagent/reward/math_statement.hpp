#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/math_expression.hpp"
#include "dualagent/reward/math_tokens.hpp"
#include "dualagent/reward/math_value.hpp"

namespace dualagent::detail {

/// An answer: a value, or several; with the name that it may bear, as in x = 5, f(x) = 2x + 1,
/// x \in (0, 1) and x = 2 \text{ or } x = -3; or relations between values.
class MathStatement {
 public:
  explicit MathStatement(MathTokens tokens);

  /// Whether both mean the same; names have to agree where both have one.
  bool equals(const MathStatement& other) const;

 private:
  /// Pieces with relations between them, behind a name.
  struct Chain {
    MathTokens name;
    std::vector<MathTokens> pieces;
    std::vector<std::string_view> relations;  // [pieces - 1]
    std::vector<std::optional<MathValue>> values;
  };

  static bool is_relation(const MathToken& token);

  /// Whether tokens can name a value: letters with subscripts and arguments, or a sum of such, as
  /// in f(x), AB, \angle ABC, |AB|, S_n, m + n. 2x cannot: 2x = 5 is an equation.
  static bool is_name(MathTokens tokens);
  /// The last token of the argument that begins at `begin`; too large where it holds operations.
  static std::size_t end_of_argument(MathTokens tokens, std::size_t begin);

  /// Adds one part of a list; false if it has too many pieces.
  bool add(MathTokens part);

  /// 2 + 3 = 5 is 5, and \sqrt{2} \approx 1.41 is \sqrt{2}.
  static void collapse(Chain& chain);

  /// A name without its subscript.
  static MathTokens base(MathTokens name);

  /// Whether the parts bear one name, which may differ in its subscript. If not, what each of them
  /// is would be lost with its name.
  bool one_name() const;

  bool same_names(const MathStatement& other) const;

  static bool same_piece(const Chain& a, std::size_t i, const Chain& b, std::size_t j);
  /// In order, but for unions.
  static bool same_chain(const Chain& a, const Chain& b);

  bool readable_ = false;
  bool several_names_ = false;
  MathValueReader reader_;
  std::size_t parts_ = 0;
  std::vector<Chain> chains_;       // one per part of a list
  std::optional<MathValue> value_;  // of all parts, where they have no relations
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_statement.inl"
#endif
