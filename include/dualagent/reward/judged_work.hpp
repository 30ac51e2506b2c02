#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/data/task.hpp"
#include "dualagent/trace/render.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/sampled_summary.hpp"

namespace dualagent {

/// One thing that a judge grades.
struct JudgedItem {
  std::string question = {};  ///< what was asked
  std::string material = {};  ///< what the work has to be faithful to
  std::string work = {};      ///< what is graded
};

/// Picks what a judge reads of a rollout.
///
/// Syntactic requirement on a constant w: `w.items(task, rollout)` returns a
/// std::vector<JudgedItem>, empty if there is nothing to grade.
/// Semantic requirement: depends on task and rollout only.
template <class W>
concept JudgedWork = requires(const W& work, const Task& task, const Rollout& rollout) {
  { work.items(task, rollout) } -> std::same_as<std::vector<JudgedItem>>;
};

/// One readable sentence if W is not a JudgedWork.
template <class W>
consteval bool check_judged_work() {
  static_assert(JudgedWork<W>,
                "dualagent: JudgedWork needs 'std::vector<JudgedItem> items(const Task&, const "
                "Rollout&) const'; see docs/rewards.md#a-judge");
  return true;
}

/// The answer, against the task's; nothing of a rollout that gave none.
struct JudgedAnswer {
  std::vector<JudgedItem> items(const Task& task, const Rollout& rollout) const {
    if (!rollout.answer) return {};
    return {{task.prompt, task.answer, *rollout.answer}};
  }
};

/// Every summary that was sampled, against the history that it compresses and the task's question.
///
/// `token_text(Token)` returns something string-like, e.g. the bytes of a token; `separator` stands
/// between tokens. The history is shown without the task's own tokens, which are the question.
/// Example: JudgedSummaries{[&](Token t) { return tokenizer.bytes_of(t); }}.
template <class TokenText>
struct JudgedSummaries {
  static_assert(
      requires(const TokenText& text, Token token) { std::string_view(text(token)); },
      "dualagent: JudgedSummaries needs a function that turns a Token into its text, e.g. "
      "[&](Token t) { return tokenizer.bytes_of(t); }; see docs/rewards.md#a-judge");

  TokenText token_text;
  std::string_view separator = "";

  std::vector<JudgedItem> items(const Task& task, const Rollout& rollout) const {
    std::vector<JudgedItem> items;
    for (const SampledSummary& summary : sampled_summaries(rollout)) {
      const Context& context = rollout.segments[summary.segment].context;
      JudgedItem item{.question = task.prompt};
      for (const Span& span : context.spans().first(summary.history_spans)) {
        if (span.provenance == Provenance::prompt) continue;
        if (!item.material.empty()) item.material += separator;
        item.material += span_text(context, span, token_text, separator);
      }
      item.work = span_text(context, context.spans()[summary.span], token_text, separator);
      items.push_back(std::move(item));
    }
    return items;
  }
};
template <class TokenText>
JudgedSummaries(TokenText) -> JudgedSummaries<TokenText>;
template <class TokenText>
JudgedSummaries(TokenText, std::string_view) -> JudgedSummaries<TokenText>;

}  // namespace dualagent
