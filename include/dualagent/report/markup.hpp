#pragma once

#include <string>
#include <string_view>

#include "dualagent/core/printable.hpp"

namespace dualagent {

/// A text as it may stand in HTML, XML and SVG: as content and inside quoted attributes.
///
/// The text goes through `printable` first (line breaks and tabs stay), so that no character
/// remains that these formats forbid; then & < > " ' become entities.
/// Example: escape_markup("<b>") == "&lt;b&gt;".
inline std::string escape_markup(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text, LineBreaks::keep)) switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  return escaped;
}

}  // namespace dualagent
