#include "dualagent/train/step_metrics.hpp"

#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/loops/token_loss.inl"
#include "dualagent/objective/objective.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

Sampled sampled(AgentRole agent, std::size_t tokens) {
  return BackendAccess::sampled(agent, 0, std::vector<Token>(tokens, 1),
                                std::vector<float>(tokens, -0.5F));
}

}  // namespace

TEST_CASE("lengths and compression are those of the sampled spans", "[train]") {
  Rollout rollout;
  rollout.reward = 0.5;
  rollout.turns = 2;
  rollout.segments.resize(2);
  Context& first = rollout.segments[0].context;
  first.append(Provenance::prompt, std::vector<Token>(10, 0));
  first.append(sampled(AgentRole::answerer, 6));
  first.append(sampled(AgentRole::summarizer, 4));  // replaces 16 tokens by 4
  Context& second = rollout.segments[1].context;
  second.append(Provenance::summary, std::vector<Token>(4, 1), AgentRole::summarizer);
  second.append(sampled(AgentRole::answerer, 3));
  RolloutSums sums;
  sums.add(rollout);
  CHECK(sums.answerer_tokens == 9);
  CHECK(sums.summarizer_tokens == 4);
  CHECK(sums.summaries == 1);
  CHECK(sums.compression == 4.0);
  CHECK(sums.reward == 0.5);

  rollout.status = RolloutStatus::aborted;
  sums.add(rollout);
  CHECK(sums.rollouts == 2);
  CHECK(sums.counted() == 1);
  CHECK(sums.reward == 0.5);
}

TEST_CASE("rates are tokens over seconds, and 0 where nothing was timed", "[train]") {
  StepMetrics metrics;
  CHECK(metrics.rollout_tokens_per_second() == 0);
  metrics.sampled_tokens = 300;
  metrics.rollout_seconds = 0.5;
  metrics.scored_positions = 180;
  metrics.score_seconds = 2;
  metrics.trained_positions = 90;
  metrics.update_seconds = 3;
  CHECK(metrics.rollout_tokens_per_second() == Approx(600));
  CHECK(metrics.score_tokens_per_second() == Approx(90));
  CHECK(metrics.update_tokens_per_second() == Approx(30));
}

TEST_CASE("every measurement is visited under a name of its own", "[train]") {
  StepMetrics metrics;
  metrics.kl_to_reference = 0.5;
  metrics.stale_groups = 1;
  metrics.wait_seconds = 0.25;
  std::set<std::string> names;
  std::size_t visits = 0;
  metrics.for_each([&](std::string_view name, double) {
    names.emplace(name);
    ++visits;
  });
  CHECK(names.size() == visits);
  CHECK(visits == 39);
  const std::set<std::string> sometimes{"kl_to_reference", "stale_groups", "wait_seconds"};
  StepMetrics{}.for_each(
      [&](std::string_view name, double) { CHECK(!sometimes.contains(std::string(name))); });
}

TEST_CASE("the divergence from the reference is the mean of K3 over trained tokens", "[train]") {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2, 3, 4});
  batch.loss_weight = {0.0F, 1.0F, 1.0F, 0.0F};
  batch.reference_log_prob = {0.0F, -1.0F, -0.5F, -9.0F};
  TokenOutputs outputs;
  outputs.resize(4);
  outputs.log_prob = {0, -0.5, -1.5, -1};
  const auto loss = loops::composed_loss(Objective{GroupNormalized{}, PolicyGradient{}});
  LocalCollective collective;
  StepMetrics metrics;
  UpdateSums without;
  without.add(batch, outputs, loss, true);
  without.describe(collective, metrics);
  CHECK(!metrics.kl_to_reference);
  UpdateSums sums{.has_reference = true};
  sums.add(batch, outputs, loss, true);
  sums.describe(collective, metrics);
  const double first = std::exp(-0.5) - 1 + 0.5;  // x = -0.5 - -1
  const double second = std::exp(1.0) - 1 - 1;    // x = -1.5 - -0.5
  CHECK(metrics.kl_to_reference.value() == Approx((first + second) / 2));
}

TEST_CASE("tool calls are counted by tool and by what became of them", "[train]") {
  Rollout rollout;
  rollout.tool_uses = {{.tool = "look", .status = ToolStatus::ok},
                       {.tool = "look", .status = ToolStatus::failed},
                       {.tool = "look", .status = ToolStatus::bad_arguments},
                       {.tool = "look", .status = ToolStatus::timed_out},
                       {.tool = "lok", .status = ToolStatus::unknown_tool},
                       {.tool = "add", .status = ToolStatus::ok}};
  StepMetrics metrics;
  metrics.tools = {{.name = "add"}, {.name = "look"}, {.name = "never"}};
  LocalCollective collective;
  describe_tools(std::span(&rollout, 1), collective, metrics);
  CHECK(metrics.tool_calls == 6);
  CHECK(metrics.unknown_tool_calls == 1);
  CHECK(metrics.tools[0].calls == 1);
  CHECK(metrics.tools[1].calls == 4);
  CHECK(metrics.tools[1].failures == 2);
  CHECK(metrics.tools[1].timeouts == 1);
  CHECK(metrics.tools[1].refusals == 1);
  CHECK(metrics.tools[2].calls == 0);
  std::map<std::string, double> numbers;
  metrics.for_each(
      [&](std::string_view name, double value) { numbers[std::string(name)] = value; });
  CHECK(numbers.at("calls_of_look") == 4);
  CHECK(numbers.at("failures_of_look") == 2);
  CHECK(numbers.at("refusals_of_look") == 1);
  CHECK(numbers.at("calls_of_never") == 0);
}

TEST_CASE("why nothing was learned is visited where texts are taken", "[train]") {
  StepMetrics metrics;
  std::string texts;
  const auto visit = [&](std::string_view name, auto value) {
    if constexpr (std::is_same_v<decltype(value), std::string_view>)
      texts += std::string(name) + "=" + std::string(value);
  };
  metrics.for_each(visit);
  CHECK(texts.empty());
  metrics.nothing_learned = "because";
  metrics.for_each(visit);
  CHECK(texts == "nothing_learned=because");
}
