#pragma once

/// Definitions of markup.hpp; see core/compiled.hpp.

#include "dualagent/report/markup.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string escape_markup(std::string_view text) {
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
