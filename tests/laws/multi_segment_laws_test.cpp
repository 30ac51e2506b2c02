#include "laws/multi_segment_laws.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/report/report_episode.hpp"
#include "dualagent/trace/render.hpp"
#include "dualagent/train/trainer.hpp"
#include "laws/varied_rollouts.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;
using namespace varied;

namespace {

using laws::Violations;

/// The laws of rows under one view; returns how many tokens it trains.
template <class View>
std::size_t check_view(const std::vector<Rollout>& rollouts,
                       const std::vector<const WitnessModel*>& models, const View& view) {
  const PackedBatch batch = laws::pack(rollouts, view);
  std::map<std::size_t, std::size_t> times;
  CHECK(laws::of_rows(std::span(&batch, 1), models, times) == Violations{});
  CHECK(laws::of_aggregation(batch, GlobalTokenMean{}) == Violations{});
  CHECK(laws::of_aggregation(batch, RolloutMean{}) == Violations{});
  CHECK(laws::of_aggregation(batch, SegmentMean{}) == Violations{});
  return times.size();
}

void check_all_views(const std::vector<Rollout>& rollouts,
                     const std::vector<const WitnessModel*>& models) {
  const std::size_t answers = live_tokens(rollouts, AgentRole::answerer);
  const std::size_t summaries = live_tokens(rollouts, AgentRole::summarizer);
  CHECK(check_view(rollouts, models, AllSegments{}) == answers + summaries);
  CHECK(check_view(rollouts, models, AnswererOnly{}) == answers);
  CHECK(check_view(rollouts, models, SummarizerOnly{}) == summaries);
  const std::size_t last = check_view(rollouts, models, FinalSegment{});
  CHECK(last < answers);
  CHECK(last > 0);
  CHECK(check_view(rollouts, models, FinalSegment{} | SummarizerOnly{}) == last + summaries);
}

/// Distinct for all members of a group and never the mean of several.
struct RewardByMember {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    return static_cast<double>(rollout.member * rollout.member);
  }
};

/// GroupNormalized that tells what it was asked.
struct RecordingAdvantage {
  std::vector<double>* rewards = nullptr;
  std::vector<std::size_t>* group_begin = nullptr;
  void estimate(std::span<const double> r, std::span<const std::size_t> g,
                std::span<double> advantages) const {
    rewards->assign(r.begin(), r.end());
    group_begin->assign(g.begin(), g.end());
    GroupNormalized{}.estimate(r, g, advantages);
  }
};

/// Any view, so that one trainer is compiled for all.
struct AnyView {
  std::function<bool(const Rollout&, std::size_t, const Span&)> trains_;
  bool trains(const Rollout& rollout, std::size_t segment, const Span& span) const {
    return trains_(rollout, segment, span);
  }
};
template <class View>
AnyView any(const View& view) {
  return {[view](const Rollout& rollout, std::size_t segment, const Span& span) {
    return view.trains(rollout, segment, span);
  }};
}

/// No rollout leaves the batch for an advantage of 0.
struct AlwaysOne {
  static constexpr bool compares_group = false;
  void estimate(std::span<const double>, std::span<const std::size_t>,
                std::span<double> advantages) const {
    std::fill(advantages.begin(), advantages.end(), 1.0);
  }
};

/// The serial numbers of the tokens that the report's page shows as trained.
std::set<std::size_t> shown_as_trained(const Rollout& rollout, const AnyView& view) {
  const auto text = [](Token token) { return std::to_string(token); };
  const ReportEpisode episode = make_report_episode(rollout, text, view, {});
  std::set<std::size_t> serials;
  for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
    std::size_t t = 0;
    for (const ReportSpan& span : episode.segments[s].spans)
      for (const std::size_t end = t + span.tokens; t < end; ++t)
        if (span.trained)
          serials.insert(static_cast<std::size_t>(-rollout.segments[s].context.log_probs()[t]));
  }
  CHECK_THAT(render(rollout, text, view),
             ContainsSubstring("* trained: " + std::to_string(serials.size()) + " of "));
  return serials;
}

/// One step with forks under `view`; the page and the text of every rollout show as trained exactly
/// the tokens that the models got with a weight. Returns their number.
template <class Pairing>
std::size_t check_pages(Pairing pairing, const std::vector<const WitnessModel*>& models,
                        const AnyView& view) {
  Trainer trainer{pairing,
                  protocol(),
                  RewardByMember{},
                  Recipe{Objective{AlwaysOne{}, ClipLoss{}, RolloutMean{}}, view},
                  LocalCollective{},
                  {.group_size = kGroupSize,
                   .summary_forks = {.continuations = 3, .histories_per_group = 2},
                   .seed = 5}};
  trainer.step(some_tasks());
  std::vector<Rollout> rollouts(trainer.rollouts().begin(), trainer.rollouts().end());
  require_rich(rollouts);
  REQUIRE(trainer.forks().size() > 4);
  rollouts.insert(rollouts.end(), trainer.forks().begin(), trainer.forks().end());
  std::vector<std::set<std::size_t>> trained(rollouts.size());
  for (const WitnessModel* model : models)
    for (const PackedBatch& batch : model->trained())
      for (std::size_t t = 0; t < batch.size(); ++t)
        if (batch.loss_weight[t] != 0.0F)
          trained[batch.rollout[batch.row_of(t)]].insert(
              static_cast<std::size_t>(-batch.old_log_prob[t]));
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    CHECK(shown_as_trained(rollouts[i], view) == trained[i]);
    tokens += trained[i].size();
  }
  return tokens;
}

}  // namespace

TEST_CASE("page and text of a rollout mark exactly the tokens that a step trains", "[laws]") {
  const AnyView views[] = {any(AllSegments{}),
                           any(AnswererOnly{}),
                           any(SummarizerOnly{}),
                           any(FinalSegment{}),
                           any(FinalSegment{} | SummarizerOnly{}),
                           any(FinishedOnly<AllSegments>{}),
                           any(PerAgentMeans<>{})};
  std::set<std::size_t> counts;
  for (const AnyView& view : views) {
    WitnessModel model{toy::vocab, speak};
    counts.insert(check_pages(SharedWeights{model}, {&model}, view));
    WitnessModel answerer{toy::vocab, speak};
    WitnessModel summarizer{toy::vocab, speak, kSecondModel};
    check_pages(SeparateWeights{answerer, summarizer}, {&answerer, &summarizer}, view);
  }
  CHECK(counts.count(0) == 0);
  CHECK(counts.size() == 6);  // of the seven views, two train the same tokens
}

TEST_CASE("rollouts with shared weights obey the contract under every view", "[laws]") {
  WitnessModel model{toy::vocab, speak};
  const std::vector<Rollout> rollouts = play(SharedWeights{model});
  require_rich(rollouts);
  CHECK(laws::of_rollouts(rollouts, kGroupSize) == Violations{});
  CHECK(laws::of_protocol(rollouts, kTrigger, kLimits) == Violations{});
  check_all_views(rollouts, {&model});
}

TEST_CASE("forks obey the contract: a shared history is trained once, each continuation once",
          "[laws]") {
  WitnessModel model{toy::vocab, speak};
  const std::vector<Rollout> rollouts = play_with_forks(SharedWeights{model});
  require_rich(rollouts);
  CHECK(laws::of_protocol(rollouts, kTrigger, kLimits) == Violations{});
  check_all_views(rollouts, {&model});
  WitnessModel answerer{toy::vocab, speak};
  WitnessModel summarizer{toy::vocab, speak, kSecondModel};
  check_all_views(play_with_forks(SeparateWeights{answerer, summarizer}), {&answerer, &summarizer});
}

TEST_CASE("rollouts with separate weights obey the contract under every view", "[laws]") {
  WitnessModel answerer{toy::vocab, speak};
  WitnessModel summarizer{toy::vocab, speak, kSecondModel};
  const std::vector<Rollout> rollouts = play(SeparateWeights{answerer, summarizer});
  require_rich(rollouts);
  CHECK(laws::of_rollouts(rollouts, kGroupSize) == Violations{});
  CHECK(laws::of_protocol(rollouts, kTrigger, kLimits) == Violations{});
  check_all_views(rollouts, {&answerer, &summarizer});
}

TEST_CASE("turns that a rewriter keeps verbatim are trained where they were sampled only",
          "[laws]") {
  WitnessModel model{toy::vocab, speak};
  const std::vector<Rollout> kept = play(SharedWeights{model}, KeepLastTurns{.turns = 2});
  std::size_t copies = 0;
  for (const Rollout& rollout : kept)
    for (const Segment& segment : rollout.segments)
      for (const Span& span : segment.context.spans())
        copies += span.provenance == Provenance::action ? 1 : 0;
  REQUIRE(copies > 10);
  CHECK(laws::of_rollouts(kept, kGroupSize) == Violations{});
  CHECK(laws::of_protocol(kept, kTrigger, kLimits) == Violations{});
  CHECK(check_view(kept, {&model}, AllSegments{}) == live_tokens(kept));

  WitnessModel baseline{toy::vocab, speak};
  const std::vector<Rollout> slid = play(SharedWeights{baseline}, SlidingWindow{.max_tokens = 12});
  REQUIRE(count(slid, [](const Rollout& r) { return r.segments.size() > 2; }) > 0);
  CHECK(laws::of_rollouts(slid, kGroupSize) == Violations{});
  CHECK(laws::of_protocol(slid, kTrigger, kLimits, false) == Violations{});
  CHECK(check_view(slid, {&baseline}, AllSegments{}) == live_tokens(slid));
}

TEST_CASE("token weights follow the stated policy", "[laws]") {
  const auto segment = [](std::size_t tokens) {
    Segment made;
    made.context.append(Provenance::prompt, Tokens{toy::bos});
    made.context.append(BackendAccess::sampled(AgentRole::answerer, 0, Tokens(tokens, toy::call),
                                               std::vector<float>(tokens, -1.0F)));
    return made;
  };
  std::vector<Rollout> rollouts(2);
  rollouts[0].segments = {segment(1), segment(3)};
  rollouts[1].segments = {segment(4)};
  const PackedBatch batch = laws::pack(rollouts, AllSegments{});
  CHECK(laws::of_aggregation(batch, GlobalTokenMean{}) == Violations{});
  CHECK(laws::of_aggregation(batch, RolloutMean{}) == Violations{});
  CHECK(laws::of_aggregation(batch, SegmentMean{}) == Violations{});
  // Second segment of the first rollout: 8 tokens, 2 rollouts and 3 segments in the batch.
  const TokenCounts counts{
      .tokens = 8, .rollouts = 2, .segments = 3, .rollout_tokens = 4, .segment_tokens = 3};
  CHECK(GlobalTokenMean{}.weight(counts) == 1.0 / 8);
  CHECK(RolloutMean{}.weight(counts) == 1.0 / (2 * 4));
  CHECK(SegmentMean{}.weight(counts) == Approx(1.0 / (3 * 3)));
  struct TwiceTooMuch {
    double weight(const TokenCounts& c) const { return 2.0 / c.tokens; }
  };
  CHECK(laws::of_aggregation(batch, TwiceTooMuch{}).size() == 1);
}

TEST_CASE(
    "a trainer obeys the contract: one baseline entry per live rollout, truncated ones "
    "included, aborted ones in no batch, every token of the rest once",
    "[laws]") {
  WitnessModel model{toy::vocab, speak};
  std::vector<double> rewards;
  std::vector<std::size_t> group_begin;
  Trainer trainer{
      SharedWeights{model},
      protocol(),
      RewardByMember{},
      Recipe{Objective{RecordingAdvantage{&rewards, &group_begin}, ClipLoss{}, RolloutMean{}}},
      LocalCollective{},
      {.group_size = kGroupSize, .minibatches = 3, .seed = 5}};
  const std::vector<Task> tasks = some_tasks();
  trainer.step(tasks);
  const std::vector<Rollout> rollouts(trainer.rollouts().begin(), trainer.rollouts().end());
  require_rich(rollouts);
  CHECK(laws::of_rollouts(rollouts, kGroupSize) == Violations{});
  CHECK(laws::of_protocol(rollouts, kTrigger, kLimits) == Violations{});

  std::vector<double> expected_rewards;
  std::vector<std::size_t> expected_begin{0};
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    if (rollouts[i].status != RolloutStatus::aborted)
      expected_rewards.push_back(static_cast<double>(rollouts[i].member * rollouts[i].member));
    if (i % kGroupSize == kGroupSize - 1) expected_begin.push_back(expected_rewards.size());
  }
  CHECK(rewards == expected_rewards);
  CHECK(group_begin == expected_begin);

  REQUIRE(model.trained().size() == 3);
  std::map<std::size_t, std::size_t> times;
  const std::vector<const WitnessModel*> models{&model};
  CHECK(laws::of_rows(model.trained(), models, times) == Violations{});
  CHECK(times.size() == live_tokens(rollouts));
  for (const PackedBatch& batch : model.trained()) {
    CHECK(laws::of_assignment(batch, rollouts) == Violations{});
    double weights = 0;
    for (const float weight : batch.loss_weight) weights += static_cast<double>(weight);
    CHECK(weights == Approx(1.0).epsilon(1e-5));
    for (const std::uint32_t rollout : batch.rollout)
      CHECK(rollouts[rollout].status != RolloutStatus::aborted);
  }
}

TEST_CASE("a truncated rollout shifts its group's baseline although it earned nothing", "[laws]") {
  // Two members answer (reward 1 and 1), one is cut by its turn limit (reward 0).
  WitnessModel model{toy::vocab, [](std::span<const Token>, AgentRole, const RandomStream& r) {
                       return r.below(0, 3) == 0 ? Tokens{toy::call, toy::digit(1), toy::end}
                                                 : Tokens{toy::answer, toy::digit(5), toy::end};
                     }};
  Trainer trainer{SharedWeights{model},
                  Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, Never{},
                           ReplaceBySummary{}, RolloutLimits{.max_turns = 1}},
                  ExactMatch{},
                  Recipe{Dapo{}},
                  LocalCollective{},
                  {.group_size = 12, .minibatches = 1, .seed = 1}};
  const std::vector<Task> task{{.id = "t", .prompt = "1", .answer = "5"}};
  trainer.step(task);
  std::size_t cut = 0;
  for (const Rollout& rollout : trainer.rollouts())
    cut += rollout.status == RolloutStatus::truncated ? 1 : 0;
  REQUIRE(cut > 0);
  REQUIRE(cut < 12);
  // 12 entries, `cut` of them 0: mean m = 1 - cut/12, unbiased variance m (1 - m) 12/11.
  const double mean = 1.0 - static_cast<double>(cut) / 12;
  const double deviation = std::sqrt(mean * (1 - mean) * 12 / 11);
  REQUIRE(model.trained().size() == 1);
  const PackedBatch& batch = model.trained()[0];
  CHECK(batch.rows() == 12);
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    const bool truncated = trainer.rollouts()[batch.rollout[r]].status == RolloutStatus::truncated;
    CHECK(batch.advantage[batch.row_begin[r + 1] - 1] ==
          Approx(((truncated ? 0.0 : 1.0) - mean) / deviation).epsilon(1e-4));
  }
}

TEST_CASE("ranks share a batch by whole rollouts", "[laws]") {
  WitnessModel first{toy::vocab, speak};
  WitnessModel second{toy::vocab, speak};
  WitnessModel* const models[] = {&first, &second};
  std::vector<Rollout> rollouts[2];
  const std::vector<Task> tasks = some_tasks();
  run_ranks(2, [&](ThreadCollective collective) {
    const std::size_t rank = collective.rank();
    Trainer trainer{SharedWeights{*models[rank]},
                    protocol(),
                    RewardByMember{},
                    Recipe{Dapo{}},
                    collective,
                    {.group_size = kGroupSize, .minibatches = 2, .seed = 5}};
    trainer.step(tasks);
    rollouts[rank].assign(trainer.rollouts().begin(), trainer.rollouts().end());
  });
  CHECK(rollouts[0].size() + rollouts[1].size() == tasks.size() * kGroupSize);
  std::vector<double> weights(2, 0.0);  // of each minibatch, over the ranks
  for (std::size_t rank = 0; rank < 2; ++rank) {
    CHECK(laws::of_rollouts(rollouts[rank], kGroupSize) == Violations{});
    REQUIRE(models[rank]->trained().size() == 2);
    std::map<std::size_t, std::size_t> times;
    const std::vector<const WitnessModel*> own{models[rank]};
    CHECK(laws::of_rows(models[rank]->trained(), own, times) == Violations{});
    CHECK(times.size() == live_tokens(rollouts[rank]));
    for (std::size_t minibatch = 0; minibatch < 2; ++minibatch) {
      const PackedBatch& batch = models[rank]->trained()[minibatch];
      CHECK(laws::of_assignment(batch, rollouts[rank]) == Violations{});
      for (const float weight : batch.loss_weight)
        weights[minibatch] += static_cast<double>(weight);
    }
  }
  CHECK(weights[0] == Approx(1.0).epsilon(1e-5));
  CHECK(weights[1] == Approx(1.0).epsilon(1e-5));
}
