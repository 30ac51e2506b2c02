#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/summary/rewriter.hpp"

/// What every ContextRewriter promises; run it on your own.
namespace laws {

using Violations = std::vector<std::string>;

namespace detail {

inline bool same_context(const dualagent::Context& a, const dualagent::Context& b) {
  return std::equal(a.tokens().begin(), a.tokens().end(), b.tokens().begin(), b.tokens().end()) &&
         std::equal(a.weight_versions().begin(), a.weight_versions().end(),
                    b.weight_versions().begin(), b.weight_versions().end()) &&
         std::equal(a.spans().begin(), a.spans().end(), b.spans().begin(), b.spans().end(),
                    [](const dualagent::Span& x, const dualagent::Span& y) {
                      return x.provenance == y.provenance && x.agent == y.agent &&
                             x.begin == y.begin && x.size == y.size;
                    });
}

}  // namespace detail

/// Windows of 0 to 5 turns: fresh ones, ones that go on from a summary and kept turns, and ones
/// that end with a sampled summary.
inline std::vector<dualagent::Context> many_windows() {
  using namespace dualagent;
  std::vector<Context> windows;
  for (int kind = 0; kind < 3; ++kind)
    for (int turns = 0; turns <= 5; ++turns) {
      Context window;
      window.append(Provenance::prompt, std::vector<Token>{1, 2, 3});
      if (kind > 0) {
        window.append(Provenance::summary, std::vector<Token>{90, 91}, AgentRole::summarizer);
        window.append(Provenance::action, std::vector<Token>{80});
        window.append(Provenance::observation, std::vector<Token>{81});
      }
      for (Token turn = 10; turn < 10 + turns; ++turn) {
        window.append(
            BackendAccess::sampled(AgentRole::answerer, 4, {turn, turn + 20}, {-0.5F, -0.25F}));
        window.append(Provenance::observation, std::vector<Token>{turn + 40});
      }
      if (kind > 1) {
        window.append(Provenance::injected, std::vector<Token>{95});
        window.append(BackendAccess::sampled(AgentRole::summarizer, 4, {96, 97}, {-1.0F, -1.0F}));
      }
      windows.push_back(std::move(window));
    }
  return windows;
}

/// A rewriter is pure, begins with the old prompt and makes given spans only, out of the old window
/// and the summary. One sentence per violation.
template <dualagent::ContextRewriter Rewriter>
Violations of_rewriter(const Rewriter& rewriter) {
  using namespace dualagent;
  const bool summarizes = Rewriter::summary_use == SummaryUse::required;
  const std::vector<Token> summary = summarizes ? std::vector<Token>{70, 71} : std::vector<Token>{};
  const std::vector<Context> windows = many_windows();
  Violations found;
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const std::string where = "window " + std::to_string(w);
    const Context& old = windows[w];
    const Context next = rewriter.rewrite(old, summary);
    if (!detail::same_context(next, rewriter.rewrite(old, summary)))
      found.push_back("rewriting " + where + " twice gives two results");
    const auto prompt = old.tokens(old.spans()[0]);
    if (next.size() < prompt.size() ||
        !std::equal(prompt.begin(), prompt.end(), next.tokens().begin()))
      found.push_back("the context after " + where + " does not begin with its prompt");
    for (const Span& span : next.spans())
      if (span.is_sampled())
        found.push_back("the context after " + where + " would train a copy again");
    for (const Token token : next.tokens())
      if (std::count(old.tokens().begin(), old.tokens().end(), token) == 0 &&
          std::count(summary.begin(), summary.end(), token) == 0)
        found.push_back("the context after " + where + " holds a token from nowhere");
  }
  return found;
}

}  // namespace laws
