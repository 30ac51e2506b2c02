#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/core/spelling.hpp"
#include "dualagent/core/user_code.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/data/conversation_rows.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/json_lines.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/summary/rewriter.hpp"
#include "dualagent/text/special_names.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/train/segment_digest.hpp"

namespace dualagent {

/// What becomes of a conversation that does not fit.
enum class Overlong : std::uint8_t {
  refused,  ///< an Error
  left_out  ///< counted, and said in one warning
};

/// How conversations become segments.
struct DemonstrationOptions {
  std::size_t max_tokens = 0;  ///< of a context window, e.g. model.max_context_tokens(); >= 1
  Overlong overlong = Overlong::refused;
  /// As the pairing has it that is trained afterwards: `decltype(pairing)::summary_window`.
  SummaryWindow summary_window = SummaryWindow::shared;
  ConversationRows rows = {};

  void validate() const;
};

/// What agents are shown: for each conversation the segments of an episode that goes like it.
struct Demonstrations {
  std::vector<std::vector<Segment>> conversations = {};
  std::size_t left_out = 0;  ///< conversations that did not fit

  /// All segments, in their order.
  std::vector<Segment> segments() const;

  /// Says which demonstrations these are, for RunOptions::fingerprint: a run is then not resumed
  /// with another file, or with the same one read in another way.
  std::string digest() const;

  /// Those that one agent's model reads, for agents with weights of their own.
  Demonstrations of(AgentRole owner) const;

  /// The segments of `count` conversations for step `step`: all conversations in a random order,
  /// then all in another one, and so on. A function of its arguments and the conversations.
  /// Errors: Error where there are none.
  std::vector<Segment> batch(std::size_t step, std::size_t count, const RandomStream& random) const;
};

namespace detail {

/// A conversation with a window or a turn that is longer than it may be.
struct OverlongConversation : Error {
  using Error::Error;
};

/// Plays a conversation as `play_dual_agent` would, with what its messages say in place of what
/// models sample.
template <class Dialect, class Rewriter>
class Demonstrator {
 public:
  Demonstrator(const Dialect& dialect, const Rewriter& rewriter, const SpecialNames& names,
               const DemonstrationOptions& options)
      : dialect_(dialect), rewriter_(rewriter), names_(names), options_(options) {}

  /// The segments in which something is demonstrated. `conversation` must outlive the call.
  std::vector<Segment> play(const Conversation& conversation) {
    conversation_ = &conversation;
    segments_.clear();
    window_ = {};
    said_.clear();
    for (const ConversationMessage& message : conversation.messages) {
      place_ = conversation.where + ", messages[" + std::to_string(message.index) + "]";
      try {
        call_user_code(
            "a dialect or a rewriter", [&] { return place_; }, [&] { show(message); });
      } catch (const OverlongConversation&) {
        throw;
      } catch (const Error& error) {
        const std::string& where = error.where();
        const bool placed = where.empty() || where == place_;
        throw Error(error.problem(), placed ? place_ : place_ + ", " + where, error.remedy());
      }
    }
    close_window();
    return std::move(segments_);
  }

 private:
  using Tokens = std::vector<Token>;

  void show(const ConversationMessage& message) {
    check_texts(message);
    if (message.speaker == Speaker::summarizer) return summarize(message);
    if (message.speaker == Speaker::assistant) return answer(message);
    if (window_.empty())
      window_.append(Provenance::prompt, prompt(message.said.text));
    else
      window_.append(Provenance::observation, dialect_.user_message(message.said.text, said_));
  }

  Tokens prompt(const std::string& text) const {
    const Task task{.prompt = text, .system = conversation_->system};
    if (conversation_->system) check_text(*conversation_->system, "the system message");
    if (!conversation_->tools) return dialect_.prompt(task);
    for (const ToolSpec& tool : *conversation_->tools)
      for (const std::string* part : {&tool.name, &tool.description, &tool.parameters})
        check_text(*part, "a tool's description");
    return dialect_.prompt(task, *conversation_->tools);
  }

  void answer(const ConversationMessage& message) {
    check_tools(message.said.calls);
    window_.append(Provenance::injected, dialect_.turn_opening(window_));
    said_ = dialect_.write_turn(message.said);
    check_reading(message.said.calls);
    check_end(said_, dialect_.turn_stop());
    window_.append(message.trained ? Provenance::demonstration : Provenance::action, said_);
    check_room(window_);
    if (!message.replies.empty())
      window_.append(Provenance::observation, dialect_.observation(message.replies, said_));
  }

  void summarize(const ConversationMessage& message) {
    const Tokens summary = dialect_.write_summary(message.said);
    check_end(summary, dialect_.summary_stop());
    if (const std::optional<std::string> defect = dialect_.check_summary(summary))
      refuse("the summary cannot be used: " + *defect, "Write it otherwise");
    if (message.trained && options_.summary_window == SummaryWindow::shared) {
      append_summary(window_, summary);
    } else if (message.trained) {
      Context own = copy_as_given(window_, window_.size());
      append_summary(own, summary);
      segments_.push_back({AgentRole::summarizer, {}, std::move(own)});
    }
    Context next = rewriter_.rewrite(window_, dialect_.present_summary(summary));
    // The Answerer's window comes before the summary's own, as in a rollout.
    const bool own_window = message.trained && options_.summary_window == SummaryWindow::separate;
    close_window(own_window ? 1 : 0);
    window_ = std::move(next);
  }

  void append_summary(Context& context, const Tokens& summary) const {
    context.append(Provenance::injected, dialect_.summary_request());
    context.append(Provenance::demonstration, summary, AgentRole::summarizer);
    check_room(context);
  }

  /// Keeps the Answerer's window, `before` the last segments, if it demonstrates anything.
  void close_window(std::ptrdiff_t before = 0) {
    const auto shown = [](const Span& span) {
      return span.provenance == Provenance::demonstration;
    };
    const std::span<const Span> spans = window_.spans();
    if (std::none_of(spans.begin(), spans.end(), shown)) return;
    check_room(window_);
    segments_.insert(segments_.end() - before, {AgentRole::answerer, {}, std::move(window_)});
  }

  void check_texts(const ConversationMessage& message) const {
    check_text(message.said.text, "the content");
    check_text(message.said.thoughts, "the reasoning_content");
    for (const ToolCall& call : message.said.calls)
      for (const std::string* part : {&call.tool, &call.arguments, &call.id})
        check_text(*part, "a call");
    for (const std::string& reply : message.replies) check_text(reply, "a reply to its calls");
  }

  void check_text(std::string_view text, const std::string& what) const {
    if (const std::optional<std::string> name = names_.spelled_in(text))
      refuse(what + " spells the special token " + *name,
             "Give what was said alone; the dialect writes its tokens");
  }

  /// A call must be of a tool that the model is told of, where it is told of any.
  void check_tools(const std::vector<ToolCall>& calls) const {
    std::span<const ToolSpec> told;
    if constexpr (requires { std::span<const ToolSpec>(dialect_.tools()); })
      told = dialect_.tools();
    if (conversation_->tools) told = *conversation_->tools;
    if (told.empty()) return;  // the prompt's text may tell of them
    std::vector<std::string> names;
    for (const ToolSpec& tool : told) names.push_back(tool.name);
    for (const ToolCall& call : calls)
      if (std::find(names.begin(), names.end(), call.tool) == names.end())
        refuse("a call names no tool that the model is told of: '" + printable(call.tool) + "'" +
                   spelling_hint(call.tool, names),
               "Add it to \"tools\", or to the dialect's");
  }

  /// A rollout must sample these tokens to their end, and none after it.
  void check_end(const Tokens& said, const StopRule& stop) const {
    if (said.size() > stop.max_new_tokens)
      throw OverlongConversation(
          "what is said has " + std::to_string(said.size()) + " tokens, the dialect allows " +
              std::to_string(stop.max_new_tokens),
          place_, "Raise ChatOptions::max_turn_tokens or max_summary_tokens");
    for (std::size_t size = 1; size <= said.size(); ++size) {
      const std::span<const Token> so_far = std::span(said).first(size);
      const bool ends = std::find(stop.stop_tokens.begin(), stop.stop_tokens.end(),
                                  so_far.back()) != stop.stop_tokens.end() ||
                        (stop.stop_early && stop.stop_early(so_far));
      if (ends == (size == said.size())) continue;
      refuse(ends ? "a rollout would end this turn after " + std::to_string(size) + " of its " +
                        std::to_string(said.size()) + " tokens"
                  : std::string("a rollout would not end here"),
             "Give calls in \"tool_calls\", and a text in \"content\"");
    }
  }

  /// A rollout must read what was written.
  void check_reading(const std::vector<ToolCall>& calls) const {
    const Turn turn = dialect_.parse_turn(said_);
    if (const auto* malformed = std::get_if<MalformedTurn>(&turn))
      refuse("the dialect cannot read this turn: " + malformed->reason,
             "Write what a rollout of this dialect may say");
    const auto* read = std::get_if<std::vector<ToolCall>>(&turn);
    const auto same = [](const ToolCall& a, const ToolCall& b) {
      return a.tool == b.tool &&
             nlohmann::json::parse(a.arguments) == nlohmann::json::parse(b.arguments);
    };
    if (read == nullptr ? !calls.empty()
                        : !std::equal(read->begin(), read->end(), calls.begin(), calls.end(), same))
      refuse("the dialect reads other calls in this turn than \"tool_calls\" has",
             "Give calls in \"tool_calls\" alone");
  }

  void check_room(const Context& context) const {
    if (context.size() <= options_.max_tokens) return;
    throw OverlongConversation(
        "the conversation has " + std::to_string(context.size()) + " tokens up to here, " +
            std::to_string(options_.max_tokens) + " are allowed",
        place_, "Shorten it, or set DemonstrationOptions::overlong to Overlong::left_out");
  }

  [[noreturn]] void refuse(const std::string& problem, const std::string& remedy) const {
    throw Error(problem, place_, remedy);
  }

  const Dialect& dialect_;
  const Rewriter& rewriter_;
  const SpecialNames& names_;
  const DemonstrationOptions& options_;
  const Conversation* conversation_ = nullptr;
  std::string place_;  // of the message
  std::vector<Segment> segments_;
  Context window_;  // the Answerer's
  Tokens said_;     // the last turn
};

}  // namespace detail

/// Reads conversations (`ConversationRows`) and writes each with the dialect that rollouts use:
/// what is shown is, token by token and span by span, what an episode with these turns, replies and
/// summaries would hold, its sampled spans as demonstrations.
///
/// What the assistant and the summarizer say has provenance `demonstration` (`action` where its
/// weight is 0), all else is given as in an episode; segments without a demonstration are left out.
/// Tools of a row stand in place of the dialect's. `rewriter` says what the Answerer keeps beside a
/// summary.
/// Errors: Error with file, line and message for a row that cannot be meant, for a text that spells
/// a special token, for a turn that a rollout of this dialect could not say or would read in
/// another way, and for one that does not fit, unless those are left out; where nothing is left.
/// Example:
///   const auto shown = read_demonstrations("chats.jsonl", dialect, {.max_tokens = 2048});
///   trainer.step(shown.batch(step, 16, RandomStream::from_seed(0)));
template <DemonstrableDialect Dialect, ContextRewriter Rewriter = ReplaceBySummary>
requires(Rewriter::summary_use == SummaryUse::required) Demonstrations
    read_demonstrations(const std::filesystem::path& path, const Dialect& dialect,
                        const DemonstrationOptions& options, const Rewriter& rewriter = {}) {
  options.validate();
  const SpecialNames names(dialect.tokenizer());
  detail::Demonstrator demonstrator(dialect, rewriter, names, options);
  Demonstrations made;
  std::string first_problem;
  const std::string text = read_file(path);
  for_each_row(text, path.string(),
               [&](std::string_view row, std::size_t, const std::string& where) {
                 const Conversation conversation = options.rows.read(row, where);
                 try {
                   made.conversations.push_back(demonstrator.play(conversation));
                 } catch (const detail::OverlongConversation& error) {
                   if (options.overlong == Overlong::refused) throw;
                   if (made.left_out++ == 0) first_problem = error.what();
                 }
               });
  if (made.left_out > 0)
    warn(path.string() + ": " + std::to_string(made.left_out) + " of " +
         std::to_string(made.left_out + made.conversations.size()) +
         " conversations do not fit and are left out; the first: " + first_problem);
  if (made.conversations.empty())
    throw Error("there are no conversations to learn from", path.string(),
                "Write one JSON object per line, none longer than max_tokens");
  return made;
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/train/demonstrations.inl"
#endif
