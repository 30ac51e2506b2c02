#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/trace/packed_batch.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/train/training_rows.hpp"
#include "ledger_dialect.hpp"
#include "vocabulary.hpp"

/// What a model copies from its context: a warm start has formed when it copies everything that
/// its context determines.
namespace quickstart {

/// Tokens of a demonstration that its context determines, by where they are copied from. A carried
/// total after a summary is not among them: the demonstrators forget it at random.
enum class Copied {
  called_page,      ///< in a call
  opening_balance,  ///< at the beginning of an episode's first statement
  read_page,        ///< in a statement, as the two below
  amount,
  running_total,
  next_page,  ///< at the beginning of a summary
};

inline constexpr std::array<std::string_view, 6> kCopiedNames{
    "called_page", "opening_balance", "read_page", "amount", "running_total", "next_page"};

/// What the i-th token of a demonstrated turn or summary copies; nothing where it copies nothing.
/// `first` says that the episode has no earlier segment.
inline std::optional<Copied> copied_by(std::span<const dualagent::Token> said, std::size_t i,
                                       bool first) {
  using namespace vocabulary;
  if (said[0] == call_begin)
    return i == 1 && is_page(said[i]) ? std::optional(Copied::called_page) : std::nullopt;
  if (said[0] == summary_begin && i == 1) return Copied::next_page;
  const std::size_t total = carried_total_at(said);
  if (i < total || i + 1 == said.size()) return std::nullopt;
  if (i < total + 2) return first ? std::optional(Copied::opening_balance) : std::nullopt;
  constexpr std::array<Copied, 4> kItem{Copied::read_page, Copied::amount, Copied::running_total,
                                        Copied::running_total};
  return kItem[(i - total - 2) % kItem.size()];
}

/// How much a model copies rightly. A token counts as right when it gets more than half of the
/// probability, given what the demonstration says before it.
class CopyAccuracy {
 public:
  void count(Copied kind, bool right) {
    ++places_[static_cast<std::size_t>(kind)];
    right_[static_cast<std::size_t>(kind)] += right ? 1 : 0;
  }

  /// 0 to 1; 1 where there was nothing of the kind.
  double of(Copied kind) const {
    const auto index = static_cast<std::size_t>(kind);
    if (places_[index] == 0) return 1;
    return static_cast<double>(right_[index]) / static_cast<double>(places_[index]);
  }

  Copied least() const {
    Copied least = Copied::called_page;
    for (std::size_t i = 0; i < kCopiedNames.size(); ++i)
      if (of(static_cast<Copied>(i)) < of(least)) least = static_cast<Copied>(i);
    return least;
  }

 private:
  std::array<std::size_t, kCopiedNames.size()> places_{}, right_{};
};

using Episode = std::vector<dualagent::Segment>;

/// Plays nothing: the model reads the demonstrations and is asked for each copied token in turn.
template <class Model>
CopyAccuracy measure_copying(Model& model, std::span<const Episode> demonstrations) {
  using namespace dualagent;
  const auto trains = [](const Span& span) { return span.provenance == Provenance::demonstration; };
  PackedBatch batch;
  std::vector<std::optional<Copied>> copied;
  for (const Episode& episode : demonstrations)
    for (const Segment& segment : episode) {
      const std::size_t row = batch.size();
      append_training_row(batch, segment, trains, {});
      copied.resize(batch.size());
      for (const Span& span : segment.context.spans()) {
        if (!trains(span)) continue;
        const auto said = segment.context.tokens(span);
        for (std::size_t i = 0; i < said.size(); ++i)
          copied[row + span.begin + i] = copied_by(said, i, &segment == &episode.front());
      }
    }
  TokenOutputs outputs;
  outputs.resize(batch.size());
  model.score(batch, outputs);
  CopyAccuracy accuracy;
  for (std::size_t i = 0; i < copied.size(); ++i)
    if (copied[i]) accuracy.count(*copied[i], outputs.log_prob[i] > -std::numbers::ln2);
  return accuracy;
}

/// The least accuracy of a warm start that has formed. Those that have not are far below: see
/// docs/quickstart.md.
inline constexpr double kFormed = 0.9;

inline bool has_formed(const CopyAccuracy& accuracy) {
  return accuracy.of(accuracy.least()) >= kFormed;
}

/// Whether every kind is copied better than by guessing: a letter or a digit guessed is right in
/// 1 of 10 cases.
inline bool has_begun(const CopyAccuracy& accuracy) { return accuracy.of(accuracy.least()) >= 0.2; }

/// What is copied least, e.g. "of \"next_page\" it copies 9.0 % rightly".
inline std::string copied_text(const CopyAccuracy& accuracy) {
  const Copied least = accuracy.least();
  return "of \"" + std::string(kCopiedNames[static_cast<std::size_t>(least)]) + "\" it copies " +
         dualagent::percent_text(accuracy.of(least), 1) + " rightly";
}

/// Errors: Error that names what is not copied.
inline void require_formed(const CopyAccuracy& accuracy, const std::string& where) {
  if (has_formed(accuracy)) return;
  throw dualagent::Error(
      "the warm start has not formed: " + copied_text(accuracy) + ", " +
          dualagent::percent_text(kFormed, 0) + " are needed",
      where,
      "Give it more steps (--warm-start-steps) or another --seed; --any-warm-start with "
      "--resume goes on with it as it is");
}

}  // namespace quickstart
