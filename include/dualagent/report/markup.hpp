#pragma once

#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/printable.hpp"

namespace dualagent {

/// A text as it may stand in HTML, XML and SVG: as content and inside quoted attributes.
///
/// The text goes through `printable` first (line breaks and tabs stay), so that no character
/// remains that these formats forbid; then & < > " ' become entities.
/// Example: escape_markup("<b>") == "&lt;b&gt;".
std::string escape_markup(std::string_view text);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/markup.inl"
#endif
