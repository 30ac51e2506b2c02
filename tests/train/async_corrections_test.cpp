// What train/async_reinforcement.hpp trains on rollouts that went on across updates, by hand.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/store/memory_store.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using async_setting::async_options;

namespace {

/// Truncated, and halved for each version that the token is stale: reads what a token carries.
struct ByToken {
  double weight(const CorrectionTerms& terms) const {
    return std::clamp(std::exp(terms.log_ratio), 0.5, 1.5) / std::exp2(terms.staleness);
  }
};

/// No rollout has the mean reward of its group unless all have.
struct RootOfAnswer {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    return rollout.answer ? std::sqrt(std::stod(*rollout.answer)) : 0.0;
  }
};

double log_prob(const std::vector<double>& table, Token after, Token token) {
  const double* const row = &table[static_cast<std::size_t>(after) * toy::vocab];
  double sum = 0;
  for (std::size_t v = 0; v < toy::vocab; ++v) sum += std::exp(row[v]);
  return row[static_cast<std::size_t>(token)] - std::log(sum);
}

}  // namespace

TEST_CASE("rollouts go on across an update, and each token is corrected by its own version",
          "[train][async]") {
  // The expected gradients are computed anew from the rollouts and the weights of each version: sum
  // over tokens of weight * advantage / tokens * (one-hot - probabilities), of either model.
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  TrainerOptions plain{.group_size = 4,
                       .minibatches = 1,
                       .update = {.optimizer = {.learning_rate = 0.2F}, .max_gradient_norm = 1e9},
                       .scheduler = {.max_live_episodes = 6},
                       .seed = 5};
  async_setting::Pair pair, played;
  TaskStream stream = async_setting::tasks();
  RolloutWorker worker{played.roles(), played.protocol(),        RootOfAnswer{},
                       stream,         Exchange{store, weights}, {.trainer = plain}};
  Trainer trainer{pair.roles(), pair.protocol(), RootOfAnswer{},
                  Recipe{Objective<GroupNormalized, ClipLoss, GlobalTokenMean, ByToken>{}}, plain};
  AsyncReinforcement work{trainer, Exchange{store, weights},
                          async_options([&] { return worker.advance(), true; }, 2)};
  std::map<WeightVersion, std::array<std::vector<double>, 2>> weights_of;  // by version and model
  std::size_t mixed = 0;
  for (std::size_t step = 0; step < 4; ++step) {
    const auto table = [](BigramModel& model) {
      return std::vector<double>(model.parameters().begin(), model.parameters().end());
    };
    const WeightVersion now = pair.answerer.weight_version();
    REQUIRE(now == pair.summarizer.weight_version());
    weights_of[now] = {table(pair.answerer), table(pair.summarizer)};
    const RunRecord record = work.step({step});

    const std::span<const Rollout> rollouts = trainer.rollouts();
    std::array<std::vector<double>, 2> gradient;
    gradient.fill(std::vector<double>(toy::vocab * toy::vocab, 0.0));
    std::array<double, 2> tokens{};
    double stale = 0, stalest = 0, with_gradient = 0;
    for (std::size_t i = 0; i < rollouts.size(); ++i) {
      if (rollouts[i].status == RolloutStatus::aborted) continue;
      double count = 0, sum = 0, squares = 0;
      for (const Rollout& other : rollouts.subspan(i / 4 * 4, 4)) {
        if (other.status == RolloutStatus::aborted) continue;
        count += 1, sum += other.reward, squares += other.reward * other.reward;
      }
      const double variance = (squares - sum * sum / count) / (count - 1);
      const double advantage = count < 2 || variance < 1e-12
                                   ? 0
                                   : (rollouts[i].reward - sum / count) / std::sqrt(variance);
      WeightVersion oldest = now, newest = 0;
      for (const Segment& segment : rollouts[i].segments)
        for (const Span& span : segment.context.spans())
          for (std::size_t t = span.begin; span.is_sampled() && t < span.end(); ++t) {
            const auto model = static_cast<std::size_t>(span.agent);
            const Token after = segment.context.tokens()[t - 1];
            const Token token = segment.context.tokens()[t];
            const WeightVersion version = segment.context.weight_versions()[t];
            oldest = std::min(oldest, version);
            newest = std::max(newest, version);
            REQUIRE(version + 2 >= now);
            const double drawn = segment.context.log_probs()[t];
            CHECK(drawn == Approx(log_prob(weights_of.at(version)[model], after, token)));
            tokens[model] += 1;
            if (advantage == 0) continue;
            with_gradient += 1;
            const auto age = static_cast<double>(now - version);
            stale += age;
            stalest = std::max(stalest, age);
            const std::vector<double>& present = weights_of.at(now)[model];
            const double ratio = std::exp(log_prob(present, after, token) - drawn);
            const double weight = std::clamp(ratio, 0.5, 1.5) * std::pow(0.5, age);
            for (std::size_t v = 0; v < toy::vocab; ++v)
              gradient[model][static_cast<std::size_t>(after) * toy::vocab + v] +=
                  weight * advantage *
                  ((static_cast<Token>(v) == token ? 1.0 : 0.0) -
                   std::exp(log_prob(present, after, static_cast<Token>(v))));
          }
      mixed += oldest < newest ? 1 : 0;
    }
    double norms = 0;
    for (std::size_t model = 0; model < 2; ++model) {
      double square = 0;
      for (const double g : gradient[model]) square += g * g;
      norms += std::sqrt(square) / tokens[model];
    }
    CHECK(record.number("gradient_norm").value() == Approx(norms / 2).epsilon(1e-4));
    CHECK(record.number("staleness").value() == Approx(stale / with_gradient));
    CHECK(record.number("staleness_max").value() == stalest);
  }
  CHECK(mixed >= 3);  // rollouts with tokens of two versions at least
}
