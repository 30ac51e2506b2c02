#include <algorithm>
#include <string>
#include <vector>

#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/train/demonstrations.hpp"
#include "fuzz.hpp"

namespace {

using namespace dualagent;

const ByteTokenizer kTokenizer({"<|im_start|>", "<|im_end|>"});
constexpr std::size_t kMaxTokens = 3000;

/// Each <|im_start|> is followed by a role: no text of the row has made one.
void check_messages(const Context& context) {
  const std::string text = decode(kTokenizer, context.tokens());
  const auto starts = std::count(context.tokens().begin(), context.tokens().end(),
                                 *kTokenizer.special("<|im_start|>"));
  std::ptrdiff_t headers = 0;
  for (const char* header :
       {"<|im_start|>system\n", "<|im_start|>user\n", "<|im_start|>assistant\n"})
    for (std::size_t at = 0; (at = text.find(header, at)) != std::string::npos; ++at) ++headers;
  fuzz::require(starts == headers, "a text has made a special token");
}

/// What is demonstrated is what the dialect reads back, and ends a turn.
void check_turns(const ChatDialect<ByteTokenizer, Qwen3, HermesCalls>& dialect,
                 const Context& context) {
  bool shown = false;
  for (const Span& span : context.spans()) {
    if (span.provenance != Provenance::demonstration) continue;
    shown = true;
    const std::span<const Token> said = context.tokens(span);
    if (span.agent == AgentRole::summarizer)
      fuzz::require(!dialect.check_summary(said), "a summary that cannot be used");
    else
      fuzz::require(!std::holds_alternative<MalformedTurn>(dialect.parse_turn(said)),
                    "a turn that cannot be read");
  }
  fuzz::require(shown, "a segment without a demonstration");
  fuzz::require(context.size() <= kMaxTokens, "a segment that is too long");
}

void show(const std::filesystem::path& path, SummaryWindow window, CallsPerTurn calls) {
  const ChatDialect dialect{kTokenizer, Qwen3{}, HermesCalls{}, {.calls = calls}};
  const Demonstrations made =
      read_demonstrations(path, dialect, {.max_tokens = kMaxTokens, .summary_window = window});
  for (const std::vector<Segment>& segments : made.conversations) {
    fuzz::require(!segments.empty(), "a conversation without a segment");
    for (const Segment& segment : segments) {
      check_messages(segment.context);
      check_turns(dialect, segment.context);
    }
  }
}

}  // namespace

/// Rows of chats are refused, or become segments that a rollout could hold.
FUZZ_TARGET(text) {
  static fuzz::MemoryFile file;
  const std::filesystem::path& path = file.put(text);
  try {
    show(path, SummaryWindow::shared, CallsPerTurn::one);
  } catch (const Error&) {
  }
  show(path, SummaryWindow::separate, CallsPerTurn::several);
}
