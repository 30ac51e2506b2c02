#pragma once

/// Definitions of pieces.hpp; see core/compiled.hpp.

#include "dualagent/text/pieces.hpp"

namespace dualagent {

DUALAGENT_INLINE Pieces& Pieces::marked_text(std::string_view bytes,
                                             std::span<const std::string_view> markers) {
  std::string first_bytes;
  for (const std::string_view name : markers) first_bytes += name.substr(0, 1);
  std::size_t begin = 0;
  for (std::size_t at = bytes.find_first_of(first_bytes); at != std::string_view::npos;) {
    std::string_view found;
    for (const std::string_view name : markers)
      if (bytes.substr(at, name.size()) == name) found = name;
    if (!found.empty()) {
      text(bytes.substr(begin, at - begin)).marker(found);
      begin = at + found.size();
    }
    at = bytes.find_first_of(first_bytes, found.empty() ? at + 1 : begin);
  }
  return text(bytes.substr(begin));
}

DUALAGENT_INLINE Pieces& Pieces::add(Piece::Kind kind, std::string_view bytes) {
  if (kind == Piece::Kind::text && bytes.empty()) return *this;
  if (kind == Piece::Kind::text && !pieces_.empty() && pieces_.back().kind == kind)
    pieces_.back().bytes += bytes;
  else
    pieces_.push_back({kind, std::string(bytes)});
  return *this;
}

}  // namespace dualagent
