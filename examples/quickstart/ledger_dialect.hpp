#pragma once

#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/text/dialect.hpp"
#include "vocabulary.hpp"

namespace quickstart {

/// How ledger trails are written in tokens.
///
///   prompt   <bos> s u m : T + 2 5 ?
///   call     <tool_call> T </tool_call>
///   reply    <obs> noise T = 4 > I </obs>
///   summary  <summary> next DD item* </summary>       after <sum_req>
///   answer   <answer> DD item* </answer>              the last two tokens inside are the answer
///   item     page amount running-total
struct LedgerDialect {
  static constexpr std::size_t kMaxTurnTokens = 48;
  static constexpr std::size_t kMaxSummaryTokens = 28;

  std::vector<dualagent::Token> prompt(const dualagent::Task& task) const {
    std::vector<dualagent::Token> tokens{vocabulary::bos};
    vocabulary::append(tokens, task.prompt);
    return tokens;
  }

  dualagent::StopRule turn_stop() const {
    using namespace vocabulary;
    return {{call_end, answer_end}, kMaxTurnTokens, turn_like(pages())};
  }
  dualagent::StopRule summary_stop() const {
    using namespace vocabulary;
    return {{summary_end},
            kMaxSummaryTokens,
            dualagent::EarlyStop::unless({{{{summary_begin}}, true}})};
  }

  dualagent::Turn parse_turn(std::span<const dualagent::Token> turn) const {
    using namespace vocabulary;
    if (turn.empty()) return dualagent::MalformedTurn{"nothing was said"};
    if (turn.front() == call_begin) {
      if (turn.size() != 3 || !is_page(turn[1]) || turn[2] != call_end)
        return dualagent::MalformedTurn{"a call is one page between its tags"};
      return std::vector<dualagent::ToolCall>{{"lookup", R"({"page":")" + text(turn[1]) + R"("})"}};
    }
    if (turn.front() != answer_begin)
      return dualagent::MalformedTurn{"neither a call nor an answer"};
    if (turn.size() < 4 || turn.back() != answer_end)
      return dualagent::MalformedTurn{"an answer ends with two digits"};
    return dualagent::Answer{text(turn[turn.size() - 3]) + text(turn[turn.size() - 2])};
  }

  /// Characters without a token are shown as '?'.
  std::vector<dualagent::Token> observation(std::span<const std::string> results) const {
    std::vector<dualagent::Token> tokens;
    for (const std::string& result : results) {
      tokens.push_back(vocabulary::observation_begin);
      for (const char character : result)
        tokens.push_back(vocabulary::find(character).value_or(vocabulary::token('?')));
      tokens.push_back(vocabulary::observation_end);
    }
    return tokens;
  }

  /// A malformed turn ends the episode.
  std::optional<std::vector<dualagent::Token>> correction(const dualagent::MalformedTurn&) const {
    return std::nullopt;
  }

  std::vector<dualagent::Token> summary_request() const { return {vocabulary::summary_request}; }

  std::optional<std::string> check_summary(std::span<const dualagent::Token> summary) const {
    if (summary.empty() || summary.front() != vocabulary::summary_begin)
      return "does not begin with <summary>";
    return std::nullopt;
  }

  /// <summary> DD item* > next </summary>: the page to look up next is shown as an observation
  /// shows it, ">I" before the closing tag. Cut off before the first page: unchanged.
  std::vector<dualagent::Token> present_summary(std::span<const dualagent::Token> summary) const {
    std::vector<dualagent::Token> shown(summary.begin(), summary.end());
    if (shown.size() < 3) return shown;
    const dualagent::Token next = shown[1];
    shown.erase(shown.begin() + 1);
    shown.insert(shown.end() - 1, {vocabulary::token('>'), next});
    return shown;
  }

 protected:
  static std::vector<dualagent::Token> pages() {
    std::vector<dualagent::Token> all(26);
    std::iota(all.begin(), all.end(), vocabulary::token('A'));
    return all;
  }
  /// Ends a turn that can become neither a call of one of `words` nor an answer.
  static dualagent::EarlyStop turn_like(std::vector<dualagent::Token> words) {
    using namespace vocabulary;
    return dualagent::EarlyStop::unless(
        {{{{call_begin}, std::move(words)}, false}, {{{answer_begin}}, true}});
  }
};
static_assert(dualagent::ToolDialect<LedgerDialect>);

/// Where in a summary or an answer the carried total stands; in a summary the next page is before
/// it.
inline std::size_t carried_total_at(std::span<const dualagent::Token> said) {
  return said[0] == vocabulary::summary_begin ? 2 : 1;
}

}  // namespace quickstart
