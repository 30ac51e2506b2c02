#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/trace/rollout.hpp"
#include "play.hpp"

/// Scripted agents for the supervised warm start. They are sloppy on purpose, so that there is
/// something left to learn from rewards.
namespace ledger_smollm2 {

struct Sloppiness {
  double forgets = 0.6;       ///< a note lists the people instead of the total
  double stops_early = 0.08;  ///< only a part of the chain is looked up
};

/// Plays one chain with the protocol's own dialect, triggers and rewriters; returns its segments,
/// the agents' tokens as demonstrations. As pairings with one model for both agents hold them:
/// a note stands in the Answerer's window.
///
/// Only notes can forget. In a sliding window the Answerer claims the total of what it no longer
/// sees.
class Demonstration {
 public:
  /// `random` decides where the demonstrator is sloppy. `dialect` must outlive it.
  Demonstration(const Dialect& dialect, const Room& room, Memory memory, Chain chain,
                const RandomStream& random, const Sloppiness& sloppiness = {})
      : dialect_(dialect),
        room_(room),
        memory_(memory),
        chain_(std::move(chain)),
        random_(random),
        sloppiness_(sloppiness) {}

  std::vector<dualagent::Segment> play() {
    segments_.emplace_back();
    context().append(dualagent::Provenance::prompt,
                     dialect_.prompt(make_task(chain_, "demonstration")));
    carried_ = chain_.opening;
    for (const std::size_t people = people_to_look_up(); read_ < people;) {
      look_up(chain_.debts[read_]);
      ++read_;
      if (overlong()) compress();
    }
    turn({.text = text_of(statement())});
    return std::move(segments_);
  }

 private:
  using Tokens = std::vector<dualagent::Token>;

  dualagent::Context& context() { return segments_.back().context; }
  void open(dualagent::Context next) {
    segments_.push_back({dualagent::AgentRole::answerer, segments_.size() - 1, std::move(next)});
  }

  std::size_t people_to_look_up() const {
    const std::size_t people = chain_.debts.size();
    if (random_.uniform(0) >= sloppiness_.stops_early) return people;
    return people / 2 + random_.below(1, people - people / 2);
  }

  Tokens turn(const dualagent::SaidTurn& said) {
    context().append(dualagent::Provenance::injected, dialect_.turn_opening(context()));
    const Tokens tokens = dialect_.write_turn(said);
    context().append(dualagent::Provenance::demonstration, tokens);
    return tokens;
  }

  void look_up(const Debt& debt) {
    const Tokens said = turn(
        {.calls = {{std::string(DebtCalls::tool), nlohmann::json{{"name", debt.name}}.dump()}}});
    context().append(dualagent::Provenance::observation,
                     dialect_.observation(std::array{debt.text}, said));
  }

  /// How many people were looked up before the first one that the window shows.
  std::size_t first_visible() { return read_ - dualagent::count_turns(context()); }

  Statement statement() {
    std::vector<int> amounts;
    for (std::size_t i = first_visible(); i < read_; ++i) amounts.push_back(chain_.debts[i].amount);
    return make_statement(carried_, amounts);
  }

  bool overlong() {
    const std::size_t limit = memory_ == Memory::notes ? room_.budget : room_.sliding;
    return memory_ != Memory::all && dualagent::TokenBudget{.max_tokens = limit}.should_summarize(
                                         {.tokens = context().size()});
  }

  void compress() {
    if (memory_ == Memory::window) {
      open(dualagent::SlidingWindow{.max_tokens = room_.sliding}.rewrite(context(), {}));
      carried_ = chain_.opening;
      for (std::size_t i = 0; i < first_visible(); ++i) carried_ += chain_.debts[i].amount;
      return;
    }
    const bool forgets = random_.uniform(10 + notes_++) < sloppiness_.forgets;
    const int total = statement().last();
    const Tokens note = dialect_.write_summary({.text = forgets ? forgetful_note() : note_text()});
    context().append(dualagent::Provenance::injected, dialect_.summary_request());
    context().append(dualagent::Provenance::demonstration, note, dualagent::AgentRole::summarizer);
    open(dualagent::ReplaceBySummary{}.rewrite(context(), dialect_.present_summary(note)));
    carried_ = forgets ? chain_.opening : total;
  }

  std::string next_person() const { return " Next is " + chain_.debts[read_ - 1].next + "."; }
  std::string note_text() { return text_of(statement()) + next_person(); }
  std::string forgetful_note() {
    std::string names;
    for (std::size_t i = first_visible(); i < read_; ++i)
      names += (names.empty() ? "" : ", ") + chain_.debts[i].name;
    return "Visited " + names + "." + next_person();
  }

  const Dialect& dialect_;
  Room room_;
  Memory memory_;
  Chain chain_;
  RandomStream random_;
  Sloppiness sloppiness_;
  std::vector<dualagent::Segment> segments_;
  int carried_ = 0;  // what the next statement begins with
  std::size_t read_ = 0, notes_ = 0;
};

/// A chain to demonstrate, and how. `random` decides both.
inline std::vector<dualagent::Segment> demonstrate(const Dialect& dialect, const Room& room,
                                                   Memory memory, const RandomStream& random) {
  return Demonstration(dialect, room, memory, make_chain(random.child(0)), random.child(1)).play();
}

/// Additions alone, many in one statement: "Start with 25, then add 6 5 3." is answered by
/// "Total 25+6=31+5=36+3=39.". An episode has an addition for 60 tokens, this one for 11.
inline dualagent::Segment demonstrate_sums(const Dialect& dialect, const RandomStream& random) {
  constexpr std::size_t kMostSums = 12;
  const int opening = 10 + static_cast<int>(random.below(0, 60));
  std::vector<int> amounts;
  std::string listed;
  for (int total = opening; amounts.size() < kMostSums;) {
    amounts.push_back(1 + static_cast<int>(random.below(1 + amounts.size(), 9)));
    total += amounts.back();
    if (total > 99) {
      amounts.pop_back();
      break;
    }
    listed += " " + std::to_string(amounts.back());
  }
  dualagent::Segment segment;
  segment.context.append(
      dualagent::Provenance::prompt,
      dialect.prompt(dualagent::Task{.prompt = "Start with " + two_digits(opening) + ", then add" +
                                               listed + "."}));
  segment.context.append(dualagent::Provenance::injected, dialect.turn_opening(segment.context));
  segment.context.append(dualagent::Provenance::demonstration,
                         dialect.write_turn({.text = text_of(make_statement(opening, amounts))}));
  return segment;
}

}  // namespace ledger_smollm2
