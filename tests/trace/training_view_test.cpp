#include "dualagent/trace/training_view.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

struct Everything {
  bool trains(const Rollout&, std::size_t, const Span&) const { return true; }
};
struct SecondSegment {
  bool trains(const Rollout&, std::size_t segment, const Span&) const { return segment == 1; }
};
struct SaysNumber {
  int trains(const Rollout&, std::size_t, const Span&) const { return 1; }
};

/// Two segments of a given span, then a sampled one.
Rollout two_segments() {
  Rollout rollout;
  for (int i = 0; i < 2; ++i) {
    Context context;
    context.append(Provenance::prompt, std::vector<Token>{1, 2});
    context.append(BackendAccess::sampled(AgentRole::answerer, 0, std::vector<Token>{3},
                                          std::vector<float>{0}));
    rollout.segments.push_back({AgentRole::answerer, {}, std::move(context)});
  }
  return rollout;
}

/// One character for each span of all segments: 1 where it is trained.
template <class View>
std::string mask(const View& view, const Rollout& rollout) {
  std::string text;
  for (std::size_t s = 0; s < rollout.segments.size(); ++s)
    for (const Span& span : rollout.segments[s].context.spans())
      text += is_trained(view, rollout, s, span) ? '1' : '0';
  return text;
}

}  // namespace

TEST_CASE("a view that wants everything gets what was sampled", "[trace]") {
  CHECK(mask(Everything{}, two_segments()) == "0101");
  CHECK(mask(SecondSegment{}, two_segments()) == "0001");
}

TEST_CASE("every provenance but sampled is masked, whatever the view says", "[trace]") {
  Rollout rollout;
  Context context;
  for (const Provenance given :
       {Provenance::prompt, Provenance::observation, Provenance::injected, Provenance::summary,
        Provenance::action, Provenance::demonstration, Provenance::inherited})
    context.append(given, std::vector<Token>{1}, AgentRole::answerer);
  rollout.segments.push_back({AgentRole::answerer, {}, std::move(context)});
  CHECK(mask(Everything{}, rollout) == "0000000");
}

TEST_CASE("a truncated rollout is trained and an aborted one is not", "[trace]") {
  Rollout rollout = two_segments();
  rollout.status = RolloutStatus::truncated;
  CHECK(mask(Everything{}, rollout) == "0101");
  rollout.status = RolloutStatus::aborted;
  CHECK(mask(Everything{}, rollout) == "0000");
}

TEST_CASE("a view answers with a bool", "[trace]") {
  CHECK(TrainingView<Everything>);
  CHECK_FALSE(TrainingView<SaysNumber>);
  CHECK_FALSE(TrainingView<int>);
}
