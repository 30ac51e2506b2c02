#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/summary/rewriter.hpp"
#include "dualagent/summary/trigger.hpp"
#include "dualagent/trace/rollout.hpp"
#include "ledger_dialect.hpp"
#include "trail.hpp"

/// Scripted agents for the supervised warm start. They are sloppy on purpose, so that there is
/// something left to learn from rewards.
namespace quickstart {

struct Sloppiness {
  double forgets = 0.50;      ///< a later summary starts again from the opening balance
  double stops_early = 0.15;  ///< only a part of the trail is read
};

/// What decides which history the Answerer sees.
enum class Memory {
  summaries,  ///< the dual agent
  window,     ///< the newest whole turns
  all,        ///< no context limit
};

/// A trail to demonstrate, and the task that asks for it.
struct Problem {
  Trail trail;
  dualagent::Task task = {};
  std::vector<dualagent::Token> first_call = {};  ///< a turn before the first page; empty: none
  std::string first_reply = {};                   ///< the tool's answer to it
};

/// Plays one trail with the protocol's own dialect, noise and rewriters; returns its segments, the
/// agents' tokens as demonstrations.
class Demonstration {
 public:
  Demonstration(Memory memory, const Difficulty& difficulty, const Sloppiness& sloppiness,
                const RandomStream& random)
      : Demonstration(memory, difficulty, sloppiness, random, ledger_problem(difficulty, random)) {}

  /// `random` decides where the demonstrator is sloppy: its draws 1, 2 and from 10 on.
  Demonstration(Memory memory, const Difficulty& difficulty, const Sloppiness& sloppiness,
                const RandomStream& random, Problem problem)
      : memory_(memory),
        difficulty_(difficulty),
        sloppiness_(sloppiness),
        random_(random),
        problem_(std::move(problem)) {}

  std::vector<dualagent::Segment> play() {
    open(prompt());
    carried_ = problem_.trail.opening;
    if (!problem_.first_call.empty()) {
      say(dualagent::AgentRole::answerer, problem_.first_call);
      observe(problem_.first_reply);
    }
    const std::size_t pages = pages_to_read();
    for (read_ = 0; read_ < pages;) {
      look_up(problem_.trail.entries[read_]);
      ++read_;
      if (overlong()) compress();
    }
    say(dualagent::AgentRole::answerer,
        wrap(vocabulary::answer_begin, statement(), vocabulary::answer_end));
    return std::move(segments_);
  }

 private:
  using Tokens = std::vector<dualagent::Token>;

  static Problem ledger_problem(const Difficulty& difficulty, const RandomStream& random) {
    Problem problem{.trail = make_trail(difficulty, random.child(0))};
    problem.task = make_task(problem.trail, "demonstration", random.bits(0));
    return problem;
  }

  static Tokens wrap(dualagent::Token begin, Tokens inside, dualagent::Token end) {
    inside.insert(inside.begin(), begin);
    inside.push_back(end);
    return inside;
  }

  dualagent::Context& context() { return segments_.back().context; }
  void open(dualagent::Context context) {
    segments_.push_back({dualagent::AgentRole::answerer, {}, std::move(context)});
  }
  dualagent::Context prompt() const {
    dualagent::Context context;
    context.append(dualagent::Provenance::prompt, dialect_.prompt(problem_.task));
    return context;
  }
  void say(dualagent::AgentRole agent, const Tokens& tokens) {
    context().append(dualagent::Provenance::demonstration, tokens, agent);
  }

  std::size_t pages_to_read() const {
    const std::size_t pages = problem_.trail.entries.size();
    if (random_.uniform(1) >= sloppiness_.stops_early) return pages;
    return Range{std::max<std::size_t>(1, pages / 2), pages - 1}.draw(random_, 2);
  }

  void look_up(const Entry& entry) {
    say(dualagent::AgentRole::answerer,
        {vocabulary::call_begin, vocabulary::token(entry.page), vocabulary::call_end});
    observe(page_text(entry, difficulty_.noise, problem_.task.seed, first_turns() + read_));
  }

  void observe(const std::string& text) {
    context().append(dualagent::Provenance::observation, dialect_.observation(std::span(&text, 1)));
  }

  /// Turns before the first page: 0 or 1.
  std::size_t first_turns() const { return problem_.first_call.empty() ? 0 : 1; }

  bool overlong() const {
    return memory_ != Memory::all &&
           dualagent::TokenBudget{.max_tokens = difficulty_.budget}.should_summarize(
               {.tokens = segments_.back().context.size()});
  }

  void compress() {
    if (memory_ == Memory::window) {
      open(dualagent::SlidingWindow{.max_tokens = difficulty_.budget}.rewrite(context(), {}));
      carried_ = problem_.trail.opening;
      for (std::size_t i = 0; i < first_visible(); ++i)
        carried_ += problem_.trail.entries[i].amount;
      return;
    }
    if (summaries_ > 0 && random_.uniform(10 + summaries_) < sloppiness_.forgets)
      carried_ = problem_.trail.opening;
    ++summaries_;
    Tokens inside = statement();
    inside.insert(inside.begin(), vocabulary::token(problem_.trail.entries[read_ - 1].next));
    const Tokens summary =
        wrap(vocabulary::summary_begin, std::move(inside), vocabulary::summary_end);
    context().append(dualagent::Provenance::injected, dialect_.summary_request());
    say(dualagent::AgentRole::summarizer, summary);
    for (std::size_t i = first_visible(); i < read_; ++i)
      carried_ += problem_.trail.entries[i].amount;
    open(dualagent::ReplaceBySummary{}.rewrite(context(), dialect_.present_summary(summary)));
  }

  /// Pages whose turns are in the context are first_visible() .. read_ - 1.
  std::size_t first_visible() const {
    return read_ + (segments_.size() == 1 ? first_turns() : 0) -
           dualagent::count_turns(segments_.back().context);
  }

  /// The total carried in, then page, amount and running total of every visible page.
  Tokens statement() const {
    Tokens tokens;
    int total = carried_;
    vocabulary::append(tokens, two_digits(total));
    for (std::size_t i = first_visible(); i < read_; ++i) {
      const Entry& entry = problem_.trail.entries[i];
      total += entry.amount;
      tokens.push_back(vocabulary::token(entry.page));
      vocabulary::append(tokens, std::to_string(entry.amount));
      vocabulary::append(tokens, two_digits(total));
    }
    return tokens;
  }

  Memory memory_;
  Difficulty difficulty_;
  Sloppiness sloppiness_;
  RandomStream random_;
  Problem problem_;
  LedgerDialect dialect_;
  std::vector<dualagent::Segment> segments_;
  int carried_ = 0;  // total before the first visible page, as the agent believes
  std::size_t read_ = 0;
  std::size_t summaries_ = 0;
};

/// Short and easy problems first: without them copying does not form (see docs/quickstart.md).
struct Stage {
  double until;  ///< share of the warm start's steps at which the stage ends
  Difficulty difficulty;
  Range budget;                         ///< of an episode, instead of the difficulty's
  Sloppiness sloppiness{.forgets = 0};  ///< carried totals are copied exactly only if no
                                        ///< demonstrator forgets while copying forms
};

inline std::vector<Stage> curriculum(Memory memory) {
  std::vector<Stage> stages{
      {0.135, {.pages = {2, 6}, .noise = {2, 4}, .short_sums = false}, {26, 52}},
      {0.27, {.pages = {3, 7}, .noise = {4, 8}, .short_sums = false}, {38, 66}},
      {0.385, {.pages = {4, 8}, .noise = {8, 14}, .short_sums = false}, {56, 80}},
      {1.0, {}, {80, 80}, Sloppiness{}}};
  if (memory == Memory::window)  // the window is what a summarizing agent reaches, not its trigger
    for (Stage& stage : stages)
      stage.budget = {stage.budget.least * 5 / 4, stage.budget.most * 5 / 4};
  return stages;
}

/// One demonstration: the segments of an episode.
using Demonstrator = std::function<std::vector<dualagent::Segment>(
    Memory, const Difficulty&, const Sloppiness&, const RandomStream&)>;

/// The quickstart's demonstrator; only agents that summarize can forget.
inline std::vector<dualagent::Segment> demonstrate_ledger(Memory memory,
                                                          const Difficulty& difficulty,
                                                          Sloppiness sloppiness,
                                                          const RandomStream& random) {
  if (memory != Memory::summaries) sloppiness.forgets = 0;
  return Demonstration(memory, difficulty, sloppiness, random).play();
}

/// Demonstrations for a step of the warm start; a pure function of the step's number.
class DemonstrationStream {
 public:
  DemonstrationStream(Memory memory, std::size_t steps, std::size_t batch_segments,
                      const RandomStream& random, Demonstrator demonstrate = demonstrate_ledger)
      : memory_(memory),
        demonstrate_(std::move(demonstrate)),
        steps_(steps),
        batch_(batch_segments),
        random_(random),
        stages_(curriculum(memory)) {}

  /// `batch_segments` segments, drawn from a shuffled pool of 16 steps' worth of whole episodes.
  std::span<const dualagent::Segment> at(std::size_t step) {
    std::size_t begin = 0;
    std::size_t stage = 0;
    for (; step >= end_of(stage); ++stage) begin = end_of(stage);
    const std::size_t block = (step - begin) / kBlockSteps;
    if (pool_.empty() || stage != stage_ || block != block_) fill(stage, block);
    return std::span(pool_).subspan((step - begin) % kBlockSteps * batch_, batch_);
  }

 private:
  static constexpr std::size_t kBlockSteps = 16;

  std::size_t end_of(std::size_t stage) const {
    if (stage + 1 == stages_.size()) return SIZE_MAX;
    return static_cast<std::size_t>(stages_[stage].until * static_cast<double>(steps_) + 0.5);
  }

  void fill(std::size_t stage, std::size_t block) {
    stage_ = stage;
    block_ = block;
    pool_.clear();
    const RandomStream random = random_.child(stage).child(block);
    Difficulty difficulty = stages_[stage].difficulty;
    for (std::uint64_t i = 1; pool_.size() < kBlockSteps * batch_; ++i) {
      difficulty.budget = stages_[stage].budget.draw(random, i);
      for (dualagent::Segment& segment :
           demonstrate_(memory_, difficulty, stages_[stage].sloppiness, random.child(i)))
        pool_.push_back(std::move(segment));
    }
    dualagent::shuffle(std::span<dualagent::Segment>(pool_), random.child(0));
  }

  Memory memory_;
  Demonstrator demonstrate_;
  std::size_t steps_;
  std::size_t batch_;
  RandomStream random_;
  std::vector<Stage> stages_;
  std::vector<dualagent::Segment> pool_;
  std::size_t stage_ = 0;
  std::size_t block_ = 0;
};

}  // namespace quickstart
