#pragma once

/// Definitions of hashed_answer.hpp; see core/compiled.hpp.

#include "dualagent/data/hashed_answer.hpp"

namespace dualagent {

DUALAGENT_INLINE std::optional<std::string_view> after_hashes(std::string_view text) {
  constexpr std::string_view kHashes = "####";
  std::optional<std::string_view> below;  // what follows the last hashes on later lines
  for (std::size_t end = text.size();;) {
    const std::size_t at = text.substr(0, end).rfind(kHashes);
    if (at == std::string_view::npos) return below;
    const std::string_view piece = text.substr(at + kHashes.size(), end - at - kHashes.size());
    const std::string_view same_line = trimmed(piece.substr(0, piece.find('\n')));
    if (!same_line.empty()) return same_line;
    if (!below && !trimmed(piece).empty()) {
      const std::string_view later = trimmed(piece);
      below = trimmed(later.substr(0, later.find('\n')));
    }
    end = at;
  }
}

}  // namespace dualagent
