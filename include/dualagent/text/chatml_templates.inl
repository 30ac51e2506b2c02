#pragma once

/// Definitions of chatml_templates.hpp; see core/compiled.hpp.

#include "dualagent/text/chatml_templates.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void ChatMlMessages::open_with(Pieces& pieces, std::string_view system,
                                                const Opening& opening) {
  if (!system.empty() || !opening.tools.empty()) {
    begin(pieces, "system");
    pieces.text(system).text(system.empty() || opening.tools.empty() ? "" : "\n\n");
    pieces.marked_text(opening.tools, markers);
    end(pieces);
  }
  message(pieces, "user", opening.user);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE void Qwen3::said(Pieces& pieces, std::string_view thoughts,
                                  std::string_view text) const {
  if (thoughts.empty()) return void(pieces.text(text));
  pieces.marker(thinking_open).text("\n");
  rest_of_thought(pieces, trimmed_of(thoughts, "\n"));
  pieces.text(text.substr(std::min(text.find_first_not_of('\n'), text.size())));
}

DUALAGENT_INLINE void Qwen3Coder::open(Pieces& pieces, const Opening& opening) const {
  constexpr std::string_view kWithTools =
      "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks.";
  const bool own = opening.system.empty() && !opening.tools.empty();
  open_with(pieces, own ? kWithTools : opening.system, opening);
}

DUALAGENT_INLINE void Qwen3Coder::results(Pieces& pieces,
                                          std::span<const std::string> bodies) const {
  begin(pieces, "user");
  for (const std::string& body : bodies) {
    detail::write_tagged_result(pieces, body);
    pieces.text("\n");
  }
  end(pieces);
}

DUALAGENT_INLINE void QwQ::open(Pieces& pieces, const Opening& opening) const {
  if (!opening.system.empty() || !opening.tools.empty()) {
    begin(pieces, "system");
    pieces.text(opening.system).text(opening.tools.empty() ? "" : "\n\n");
    pieces.marked_text(opening.tools, markers);
    end(pieces);
  }
  user(pieces, opening.user);
}

DUALAGENT_INLINE void Qwen35::open(Pieces& pieces, const Opening& opening) const {
  const std::string_view system = trimmed(opening.system);
  if (!opening.system.empty() || !opening.tools.empty()) {
    begin(pieces, "system");
    pieces.marked_text(opening.tools, markers);
    pieces.text(system.empty() || opening.tools.empty() ? "" : "\n\n").text(system);
    end(pieces);
  }
  user(pieces, opening.user);
}

DUALAGENT_INLINE void Qwen35::assistant(Pieces& pieces) const {
  begin(pieces, "assistant");
  if (thinking == Thinking::off)
    empty_thought(pieces);
  else
    pieces.marker(thinking_open).text("\n");
}

}  // namespace dualagent
