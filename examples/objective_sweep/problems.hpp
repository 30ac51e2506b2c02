#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quickstart/rows.hpp"
#include "two_books/data.hpp"
#include "two_books/demonstration.hpp"
#include "two_books/protocol.hpp"
#include "two_books/scores.hpp"

namespace objective_sweep {

/// The quickstart's problem.
class LedgerTrail {
 public:
  static constexpr std::string_view kName = "ledger_trail";
  static constexpr std::string_view kTitle = "Ledger trail";

  explicit LedgerTrail(const quickstart::Options& options)
      : data_(quickstart::load_data(options)), run_(options, data_) {}
  LedgerTrail(const LedgerTrail&) = delete;
  LedgerTrail& operator=(const LedgerTrail&) = delete;

  quickstart::Run& run() { return run_; }
  auto protocol() const {
    return quickstart::make_protocol(
        data_, quickstart::Memory::summaries,
        dualagent::TokenBudget{.max_tokens = quickstart::Difficulty{}.budget},
        dualagent::ReplaceBySummary{});
  }
  /// Sampled episodes of the last evaluation that opened the right book: there are no books.
  std::optional<dualagent::Proportion> right_book() const { return std::nullopt; }

 private:
  quickstart::Data data_;
  quickstart::Run run_;
};

/// The ledger trail with an early decision that only the outcome judges.
class TwoBooks {
 public:
  static constexpr std::string_view kName = "two_books";
  static constexpr std::string_view kTitle = "Two books";

  explicit TwoBooks(const quickstart::Options& options)
      : data_(two_books::generate_data(options)),
        scores_(data_),
        run_(options, data_.run, two_books::demonstrate,
             [this](const std::string& row, float temperature, const auto& evaluation) {
               scores_.add(row, temperature, evaluation);
             }) {}
  TwoBooks(const TwoBooks&) = delete;
  TwoBooks& operator=(const TwoBooks&) = delete;

  quickstart::Run& run() { return run_; }
  auto protocol() const { return two_books::make_protocol(data_.run); }
  std::optional<dualagent::Proportion> right_book() const {
    if (scores_.rows().empty()) return std::nullopt;
    const two_books::Score& score = scores_.rows().back().sampled;
    return dualagent::Proportion{score.right_book, score.tasks};
  }

 private:
  two_books::Data data_;
  two_books::Scores scores_;
  quickstart::Run run_;
};

}  // namespace objective_sweep
