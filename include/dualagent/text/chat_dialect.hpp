#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/text/call_format.hpp"
#include "dualagent/text/chat_template.hpp"
#include "dualagent/text/tokenizer.hpp"
#include "dualagent/text/turn_ends.hpp"
#include "dualagent/trace/context.hpp"

namespace dualagent {

/// When a turn that calls tools ends.
enum class CallsPerTurn : std::uint8_t {
  one,     ///< right after its first call has closed: nothing after a call is sampled
  several  ///< at the end-of-turn token, or as soon as something else than a call follows a call
};

/// What a malformed turn leads to.
enum class MalformedTurns : std::uint8_t { corrected, end_the_episode };

/// The texts and limits of a ChatDialect.
struct ChatOptions {
  std::string system = {};               ///< empty: the template's own
  std::vector<ToolSpec> tools = {};      ///< what the model is told about, e.g. ToolBox::specs()
  std::size_t max_turn_tokens = 1024;    ///< >= 1
  std::size_t max_summary_tokens = 512;  ///< >= 1
  CallsPerTurn calls = CallsPerTurn::one;
  MalformedTurns malformed = MalformedTurns::corrected;
  std::string before_correction = "Your last message could not be read: ";
  std::string after_correction = ". Please write it again.";
  std::string summary_request =
      "Summarize the work so far: the facts found, what was tried and what is left to do. The "
      "conversation goes on from the task and your summary alone.";
  std::string before_summary = "Summary of the work so far:\n";
  std::string after_summary = "\n\nGo on from there.";
};

/// A ToolDialect made of a tokenizer, a chat template and a call format.
///
/// It appends only: sampled tokens stay as they are, and what the template writes around them is
/// given. Special tokens come from the template alone; text from a task, a tool or a summary cannot
/// make one. A turn that holds a special token of another kind than the format's markers is
/// malformed. Where the token that ends a turn opens the next message (GLM-4), what follows is
/// written in that message, whatever it is. Thoughts (the template's thinking tags at the start of
/// a turn, or what comes before the closing tag where the turn's header has the opening one) hold
/// no calls. The StopRule of a turn refers to the dialect, which must outlive the generation and
/// stay where it is, as a Protocol's does.
///
/// Limits: with a format whose results stand in the model's own message (ReTool), a rewriter that
/// keeps turns verbatim (KeepLastTurns, SlidingWindow) keeps them without the message's header.
/// Errors: the constructor throws Error if the tokenizer lacks a special token of the template, an
/// option is out of range, or turns begin inside a thought and results stand inside turns.
/// Example: ChatDialect dialect{ByteTokenizer({"<|im_start|>", "<|im_end|>"}), Qwen25{},
///                              HermesCalls{}, {.tools = box.specs()}};
template <class Text, class Template, class Format>
class ChatDialect {
  static_assert(check_tokenizer<Text>());
  static_assert(check_chat_template<Template>());
  static_assert(check_call_format<Format>());

 public:
  ChatDialect(Text tokenizer, Template chat, Format format, ChatOptions options = {})
      : tokenizer_(std::move(tokenizer)),
        template_(std::move(chat)),
        format_(std::move(format)),
        options_(std::move(options)),
        ends_(tokenizer_, template_) {
    if (options_.max_turn_tokens == 0 || options_.max_summary_tokens == 0)
      throw Error("a turn or a summary may have no token", "ChatOptions",
                  "Set max_turn_tokens and max_summary_tokens to 1 or more");
    if (template_.begins_thinking() && format_.result_place == ResultPlace::same_message)
      throw Error(
          "the turns of this template begin inside a thought, but a turn that goes on after "
          "a result does not",
          "ChatDialect",
          "Take a call format whose results are messages of their own, or no thoughts");
    Pieces all;
    template_.open(all, {});
    template_.assistant(all);
    template_.results(all, std::array{std::string()});
    encode(tokenizer_, all);  // throws where a special token is missing
  }

  const Text& tokenizer() const { return tokenizer_; }
  const ChatOptions& options() const { return options_; }
  /// What the model is told about.
  const std::vector<ToolSpec>& tools() const { return options_.tools; }

  std::vector<Token> prompt(const Task& task) const { return prompt(task, options_.tools); }
  std::vector<Token> prompt(const Task& task, std::span<const ToolSpec> tools) const {
    Pieces pieces;
    const std::string described = format_.describe_tools(tools);
    template_.open(pieces, {task.system.value_or(options_.system), described, task.prompt});
    return encode(tokenizer_, pieces);
  }

  /// The header of the model's message; nothing where the model goes on in its own message.
  std::vector<Token> turn_opening(const Context& context) const {
    const bool goes_on = format_.result_place == ResultPlace::same_message &&
                         !context.spans().empty() &&
                         context.spans().back().provenance == Provenance::observation;
    Pieces pieces;
    if (!goes_on) template_.assistant(pieces);
    return encode(tokenizer_, pieces);
  }

  StopRule turn_stop() const {
    std::vector<std::string> closes;
    for (const CallBrackets& call : format_.brackets) closes.emplace_back(call.close);
    return {ends_.tokens(), options_.max_turn_tokens,
            EarlyStop::of<&ChatDialect::turn_has_ended>(*this, std::move(closes))};
  }
  StopRule summary_stop() const { return {ends_.tokens(), options_.max_summary_tokens}; }

  /// Whether nothing more of the turn is to be sampled: the StopRule's test.
  bool turn_has_ended(std::span<const Token> said) const {
    if (!may_have_ended(said)) return false;
    const std::string text = decode(tokenizer_, said);
    const std::optional<std::string_view> spoken = without_thoughts(text);
    if (!spoken) return false;
    const std::optional<std::size_t> end = format_.call_end(*spoken);
    if (!end) return false;
    return options_.calls == CallsPerTurn::one || !continues_with_call(spoken->substr(*end));
  }

  Turn parse_turn(std::span<const Token> said) const {
    const std::span<const Token> body = ends_.without_end(said);
    for (std::size_t i = 0; i < body.size(); ++i)
      if (tokenizer_.is_special(body[i]) && !is_marker(tokenizer_.bytes_of(body[i])))
        return MalformedTurn{"the turn holds the special token " +
                             std::string(tokenizer_.bytes_of(body[i])) + " as its token " +
                             std::to_string(i)};
    const std::string text = decode(tokenizer_, body);
    const std::optional<std::string_view> spoken = without_thoughts(text);
    if (!spoken)
      return MalformedTurn{std::string(template_.thinking_open) + " is never closed by " +
                           std::string(template_.thinking_close)};
    return format_.parse(*spoken);
  }

  /// As if the turn had no end-of-turn token; an episode uses the form with `said`.
  std::vector<Token> observation(std::span<const std::string> results) const {
    return observation(results, {});
  }
  std::vector<Token> observation(std::span<const std::string> results,
                                 std::span<const Token> said) const {
    const Turn turn = said.empty() ? Turn{MalformedTurn{}} : parse_turn(said);
    const auto* calls = std::get_if<std::vector<ToolCall>>(&turn);
    std::vector<std::string> bodies;
    for (std::size_t i = 0; i < results.size(); ++i)
      bodies.push_back(format_.render_result(
          calls != nullptr && i < calls->size() ? (*calls)[i] : ToolCall{}, results[i]));
    return answer_turn(bodies, said);
  }

  std::optional<std::vector<Token>> correction(const MalformedTurn& malformed) const {
    return correction(malformed, {});
  }
  std::optional<std::vector<Token>> correction(const MalformedTurn& malformed,
                                               std::span<const Token> said) const {
    if (options_.malformed == MalformedTurns::end_the_episode) return std::nullopt;
    const std::string text =
        options_.before_correction + malformed.reason + options_.after_correction;
    if (format_.result_place == ResultPlace::same_message)
      return answer_turn(std::array{format_.render_result(ToolCall{}, text)}, said);
    return user_message(text, said);
  }

  /// A later message of the user, in an answer to the turn `said`.
  std::vector<Token> user_message(std::string_view text, std::span<const Token> said) const {
    if (ends_.opened(said) == NextMessage::results)
      return next_message(NextMessage::results, std::array{format_.render_result(ToolCall{}, text)},
                          said);
    return next_message(NextMessage::user, std::array{std::string(text)}, said);
  }

  /// Ends with the end-of-turn token, save for calls under CallsPerTurn::one, after which a rollout
  /// samples nothing.
  /// Errors: Error for two calls under CallsPerTurn::one, for thoughts that the template does not
  /// write or has to have, for calls that the format cannot write.
  std::vector<Token> write_turn(const SaidTurn& said) const {
    const bool one = options_.calls == CallsPerTurn::one;
    if (one && said.calls.size() > 1)
      throw Error("a turn has " + std::to_string(said.calls.size()) + " calls, the dialect reads 1",
                  "ChatDialect", "Set ChatOptions::calls to CallsPerTurn::several");
    Pieces pieces;
    write_said(pieces, said);
    if (!one || said.calls.empty())
      ends_.write(pieces, said.calls.empty() ? NextMessage::user : NextMessage::results);
    return encode(tokenizer_, pieces);
  }
  std::vector<Token> write_summary(const SaidTurn& said) const {
    Pieces pieces;
    write_said(pieces, said);
    ends_.write(pieces, NextMessage::user);
    return encode(tokenizer_, pieces);
  }

  std::vector<Token> summary_request() const {
    Pieces pieces;
    if (format_.result_place == ResultPlace::same_message) close_turn(pieces, {});
    template_.user(pieces, options_.summary_request);
    template_.assistant(pieces);
    return encode(tokenizer_, pieces);
  }

  /// A summary needs an end-of-turn token, a text, and no other special token.
  std::optional<std::string> check_summary(std::span<const Token> said) const {
    const std::optional<std::span<const Token>> summary = summary_tokens(said);
    if (!summary) return "its thoughts do not end";
    for (const Token token : *summary)
      if (tokenizer_.is_special(token))
        return "it holds the special token " + std::string(tokenizer_.bytes_of(token));
    if (trimmed(decode(tokenizer_, *summary)).empty()) return "it is empty";
    return std::nullopt;
  }

  /// The sampled tokens of the summary in a user message; nothing if check_summary refuses it.
  std::vector<Token> present_summary(std::span<const Token> said) const {
    if (check_summary(said)) return {};
    Pieces before, after;
    template_.begin_user(before);
    before.text(options_.before_summary);
    after.text(options_.after_summary);
    template_.end_user(after);
    std::vector<Token> tokens = encode(tokenizer_, before);
    const std::span<const Token> summary = *summary_tokens(said);
    tokens.insert(tokens.end(), summary.begin(), summary.end());
    const std::vector<Token> end = encode(tokenizer_, after);
    tokens.insert(tokens.end(), end.begin(), end.end());
    return tokens;
  }

 private:
  bool is_marker(std::string_view name) const {
    return std::find(format_.markers.begin(), format_.markers.end(), name) !=
               format_.markers.end() ||
           name == template_.thinking_open || name == template_.thinking_close;
  }

  /// What follows the thoughts; nothing if they are not closed.
  std::optional<std::string_view> without_thoughts(std::string_view text) const {
    const std::string_view open = template_.thinking_open, close = template_.thinking_close;
    if (open.empty() || (!template_.begins_thinking() && !trimmed(text).starts_with(open)))
      return text;
    const std::size_t at = text.find(close);
    if (at == std::string_view::npos) return std::nullopt;
    return text.substr(at + close.size());
  }

  /// The tokens of a summary without thoughts and end of turn; nothing if the thoughts do not end.
  std::optional<std::span<const Token>> summary_tokens(std::span<const Token> said) const {
    const std::span<const Token> body = ends_.without_end(said);
    const std::string text = decode(tokenizer_, body);
    const std::optional<std::string_view> spoken = without_thoughts(text);
    if (!spoken) return std::nullopt;
    const std::size_t thoughts = text.size() - spoken->size();
    std::size_t first = 0, bytes = 0;
    while (bytes < thoughts) bytes += tokenizer_.bytes_of(body[first++]).size();
    return body.subspan(first);
  }

  /// A look at the last bytes only: false where `turn_has_ended` would be false. No allocation.
  bool may_have_ended(std::span<const Token> said) const {
    std::array<char, 256> bytes;
    std::size_t begin = bytes.size();
    const std::size_t last = said.empty() ? 0 : tokenizer_.bytes_of(said.back()).size();
    for (std::size_t i = said.size(); i-- > 0;) {
      const std::string_view token = tokenizer_.bytes_of(said[i]);
      if (token.size() > begin) {
        if (i + 1 == said.size()) return true;  // one huge token: look at the whole turn
        break;
      }
      begin -= token.size();
      token.copy(bytes.data() + begin, token.size());
    }
    const std::string_view tail(bytes.data() + begin, bytes.size() - begin);
    for (const CallBrackets& call : format_.brackets) {
      const std::size_t at = tail.rfind(call.close);
      if (at == std::string_view::npos) continue;
      const std::string_view rest = tail.substr(at + call.close.size());
      if (options_.calls == CallsPerTurn::one ? rest.size() < last : !may_continue(rest))
        return true;
    }
    return false;
  }

  /// Whether what follows a call can still become another one.
  bool may_continue(std::string_view rest) const {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    return std::any_of(format_.brackets.begin(), format_.brackets.end(), [&](const auto& call) {
      return call.open.starts_with(rest) || rest.starts_with(call.open);
    });
  }

  bool continues_with_call(std::string_view rest) const {
    while (may_continue(rest)) {
      const std::optional<std::size_t> end = format_.call_end(rest);
      if (!end) return true;
      rest.remove_prefix(*end);
    }
    return false;
  }

  void write_said(Pieces& pieces, const SaidTurn& said) const {
    check_thoughts(said.thoughts);
    write_text_of_turn(template_, pieces, said.thoughts, said.text);
    if (said.calls.empty()) return;
    pieces.text(said.text.empty() ? "" : text_before_calls(format_));
    pieces.marked_text(format_.render_calls(said.calls), format_.markers);
  }

  void check_thoughts(std::string_view thoughts) const {
    const std::string_view close = template_.thinking_close;
    Pieces header;
    template_.assistant(header);
    const bool off = close.empty() || header.str().find(close) != std::string::npos;
    if (!thoughts.empty() && (off || thoughts.find(close) != std::string_view::npos))
      throw Error(off ? "thoughts are given, but turns of this dialect have none"
                      : "thoughts hold " + std::string(close),
                  "ChatDialect",
                  off ? "Leave them out, or take a dialect that thinks" : "Give them without tags");
    if (thoughts.empty() && template_.begins_thinking())
      throw Error("turns of this dialect begin inside a thought, but no thoughts are given",
                  "ChatDialect", "Give them, or take Thinking::off");
  }

  void close_turn(Pieces& pieces, std::span<const Token> said) const {
    ends_.close(pieces, said);
    template_.after_turn(pieces);
  }

  /// What follows a turn, in a message of the kind that the turn has opened, if it has opened one.
  std::vector<Token> next_message(NextMessage kind, std::span<const std::string> bodies,
                                  std::span<const Token> said) const {
    const std::optional<NextMessage> opened = ends_.opened(said);
    Pieces pieces;
    close_turn(pieces, said);
    if (opened.value_or(kind) == NextMessage::results)
      template_.results(pieces, bodies);
    else
      template_.user(pieces, joined_lines(bodies));
    std::vector<Token> tokens = encode(tokenizer_, pieces);
    if (opened && !tokens.empty()) tokens.erase(tokens.begin());
    return tokens;
  }

  static std::string joined_lines(std::span<const std::string> lines) {
    std::string text;
    for (const std::string& line : lines) text += (&line == lines.data() ? "" : "\n") + line;
    return text;
  }

  std::vector<Token> answer_turn(std::span<const std::string> bodies,
                                 std::span<const Token> said) const {
    if (format_.result_place == ResultPlace::own_message)
      return next_message(NextMessage::results, bodies, said);
    Pieces pieces;
    for (const std::string& body : bodies) pieces.text(body);
    return encode(tokenizer_, pieces);
  }

  Text tokenizer_;
  Template template_;
  Format format_;
  ChatOptions options_;
  TurnEnds ends_;
};

}  // namespace dualagent
