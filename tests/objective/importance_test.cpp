#include "dualagent/objective/importance.hpp"

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dualagent/kernels/log_prob.inl"
#include "dualagent/objective/recipes.hpp"
#include "support/catch.hpp"
#include "support/loss_of.hpp"

using namespace dualagent;

namespace {

/// The rows of tests/golden/objectives/objectives.json, whose losses and gradients torch computed.
struct Golden {
  nlohmann::json data;
  PackedBatch batch;                        // every row begins with a token that is never trained
  std::vector<std::vector<double>> logits;  // [T][V] that predict the token; empty at row starts
  std::vector<double> rewards;
  std::vector<std::size_t> group_begin{0};

  Golden() {
    std::ifstream file(DUALAGENT_TEST_DATA "/objectives/objectives.json");
    REQUIRE(file);
    data = nlohmann::json::parse(file);
    for (const auto& row : data["rows"]) {
      std::vector<Token> tokens{0};
      for (const Token token : row["targets"]) tokens.push_back(token);
      const std::size_t begin = batch.append_row(tokens, row["rollout"].get<std::uint32_t>());
      logits.emplace_back();
      for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
        logits.push_back(row["logits"][i].get<std::vector<double>>());
        const std::size_t t = begin + 1 + i;
        batch.loss_weight[t] = row["mask"][i].get<float>();
        batch.old_log_prob[t] = row["old_log_prob"][i].get<float>();
        batch.sampler_log_prob[t] = row["sampler_log_prob"][i].get<float>();
        batch.reference_log_prob[t] = row["reference_log_prob"][i].get<float>();
        batch.old_value[t] = row["old_value"][i].get<float>();
      }
    }
    for (const auto& rollout : data["rollouts"]) {
      if (rollout["group"].get<std::size_t>() == group_begin.size())
        group_begin.push_back(rewards.size());
      rewards.push_back(rollout["reward"]);
    }
    group_begin.push_back(rewards.size());
  }

  const nlohmann::json& expected(const std::string& name) const {
    for (const auto& found : data["cases"])
      if (found["name"] == name) return found;
    throw std::runtime_error("no golden case " + name);
  }
};

struct Forward {
  std::vector<double> log_prob, entropy;  // [T]
  std::vector<std::vector<double>> p;     // [T][V]
  explicit Forward(const Golden& golden) {
    for (std::size_t t = 0; t < golden.batch.size(); ++t) {
      double sum = 0;
      std::vector<double> row = golden.logits[t];
      for (double& z : row) sum += z = std::exp(z);
      double h = 0;
      for (double& z : row) {
        z /= sum;
        h -= z * std::log(z);
      }
      log_prob.push_back(
          row.empty() ? 0 : std::log(row[static_cast<std::size_t>(golden.batch.tokens[t])]));
      entropy.push_back(h);
      p.push_back(std::move(row));
    }
  }
};

/// Loss weights by counting, as the aggregation's definition says.
template <class A>
void weigh(PackedBatch& batch, const A& aggregation) {
  std::map<std::size_t, double> of_rollout;
  std::vector<double> of_row(batch.rows(), 0.0);
  TokenCounts counts;
  for (std::size_t t = 0; t < batch.size(); ++t) {
    if (batch.loss_weight[t] == 0) continue;
    counts.tokens += 1;
    of_row[batch.row_of(t)] += 1;
    of_rollout[batch.rollout[batch.row_of(t)]] += 1;
  }
  counts.rollouts = static_cast<double>(of_rollout.size());
  for (const double tokens : of_row) counts.segments += tokens > 0 ? 1 : 0;
  for (std::size_t t = 0; t < batch.size(); ++t) {
    if (batch.loss_weight[t] == 0) continue;
    counts.segment_tokens = of_row[batch.row_of(t)];
    counts.rollout_tokens = of_rollout[batch.rollout[batch.row_of(t)]];
    batch.loss_weight[t] = static_cast<float>(aggregation.weight(counts));
  }
}

/// Whitening over trained tokens, as the golden script defines it.
void whiten(PackedBatch& batch) {
  std::vector<float*> trained;
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (batch.loss_weight[t] != 0) trained.push_back(&batch.advantage[t]);
  const auto count = static_cast<double>(trained.size());
  double mean = 0, squares = 0;
  for (const float* a : trained) mean += static_cast<double>(*a) / count;
  for (const float* a : trained) squares += (*a - mean) * (*a - mean);
  const double deviation = std::sqrt(squares / (count - 1) + 1e-8);
  for (float* a : trained) *a = static_cast<float>((*a - mean) / deviation);
}

/// Writes advantages and value targets of all trained tokens.
template <class Estimator>
void credit(const Golden& golden, const Estimator& estimator, PackedBatch& batch) {
  std::vector<double> advantages(golden.rewards.size());
  estimator.estimate(golden.rewards, golden.group_begin, advantages);
  for (std::size_t i = 0; i < advantages.size(); ++i) {
    std::vector<std::size_t> tokens, segment_begin{0};
    std::vector<double> values;
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      if (batch.rollout[row] != i) continue;
      for (std::size_t t = batch.row_begin[row]; t < batch.row_begin[row + 1]; ++t) {
        if (batch.loss_weight[t] == 0) continue;
        tokens.push_back(t);
        values.push_back(batch.old_value[t]);
      }
      segment_begin.push_back(tokens.size());
    }
    std::vector<double> credited(tokens.size(), advantages[i]), targets(tokens.size());
    if constexpr (CreditsTokens<Estimator>) {
      const std::vector<double> rollouts = credited;
      estimator.credit_tokens({rollouts, values, {}, segment_begin}, {credited, targets});
    }
    for (std::size_t k = 0; k < tokens.size(); ++k) {
      batch.advantage[tokens[k]] = static_cast<float>(credited[k]);
      batch.value_target[tokens[k]] = static_cast<float>(targets[k]);
    }
  }
  if constexpr (whitens<Estimator>()) whiten(batch);
}

/// The stored advantage of a token: one per rollout, or one per token of a row.
double stored_advantage(const nlohmann::json& stored, std::size_t rollout, std::size_t row,
                        std::size_t i) {
  return stored[0].is_array() ? stored[row][i] : stored[rollout];
}

template <class ObjectiveOf>
void check_golden(const std::string& name, const ObjectiveOf& objective) {
  INFO(name);
  static const Golden golden;
  static const Forward forward(golden);
  PackedBatch batch = golden.batch;
  credit(golden, objective.advantage, batch);
  const auto& expected = golden.expected(name);
  weigh(batch, objective.aggregation);

  weigh_by_importance(objective, batch, forward.log_prob);
  double total = 0;
  for (std::size_t row = 0; row < batch.rows(); ++row)
    for (std::size_t t = batch.row_begin[row] + 1; t < batch.row_begin[row + 1]; ++t) {
      const std::size_t i = t - batch.row_begin[row] - 1;
      const auto& wanted = expected["d_logits"][row][i];
      if (batch.loss_weight[t] == 0) {
        for (const double d : wanted) CHECK(d == 0.0);
        continue;
      }
      CHECK(static_cast<double>(batch.advantage[t]) ==
            Approx(stored_advantage(expected["advantages"], batch.rollout[row], row, i))
                .epsilon(1e-6)
                .margin(1e-6));
      const double value = golden.data["rows"][row]["value"][i];
      const auto token =
          loss_of(objective, batch, t, {forward.log_prob[t], forward.entropy[t], value});
      const double weight = batch.loss_weight[t];
      total += weight * token.value;
      if (expected.contains("d_value"))
        CHECK(weight * token.d_value ==
              Approx(expected["d_value"][row][i].get<double>()).epsilon(1e-5).margin(1e-7));
      for (std::size_t v = 0; v < forward.p[t].size(); ++v) {
        const double d =
            kernels::logit_gradient(forward.p[t][v], std::log(forward.p[t][v]), forward.entropy[t],
                                    v == static_cast<std::size_t>(batch.tokens[t]),
                                    weight * token.d_log_prob, weight * token.d_entropy);
        CHECK(d == Approx(wanted[v].get<double>()).epsilon(1e-5).margin(1e-7));
      }
    }
  CHECK(total == Approx(expected["loss"].get<double>()).epsilon(1e-5).margin(1e-7));
}

}  // namespace

TEST_CASE("named objectives have torch's loss and gradients", "[objective][golden]") {
  check_golden("grpo", Grpo{});
  check_golden("dr_grpo", DrGrpo{16});
  check_golden("dapo", Dapo{});
  check_golden("gspo", Gspo{});
  check_golden("cispo", Cispo{});
  check_golden("reinforce_pp",
               Objective{Whitened<RawReward>{}, ReinforcePlusPlus{}.loss, GlobalTokenMean{}});
  check_golden("reinforce_pp_baseline", ReinforcePlusPlusBaseline{});
  const ClipLoss symmetric{.clip_low = 0.2, .clip_high = 0.2};
  check_golden("grpo_segment_mean", Objective{GroupNormalized{}, symmetric, SegmentMean{}});
  check_golden("bnpo", Objective{GroupNormalized{}, symmetric, GlobalTokenMean{}});
}

TEST_CASE("objectives with a critic have torch's loss and gradients", "[objective][golden]") {
  Ppo ppo;
  ppo.advantage.estimator = {.gamma = 0.99, .lambda = 0.95};
  check_golden("ppo_gae_chained", ppo);
  const auto by_segment = [&](double clip) {
    const Whitened<SegmentGae> estimator{{.gamma = 0.99, .lambda = 0.95}};
    return Objective{estimator, ppo.loss, GlobalTokenMean{}, NoCorrection{},
                     ValueLoss{.coefficient = 0.5, .clip = clip}};
  };
  check_golden("ppo_gae", by_segment(0.2));
  check_golden("ppo_gae_value_clip_half", by_segment(0.5));
}

TEST_CASE("token losses have torch's loss and gradients", "[objective][golden]") {
  const auto token_mean = [](const auto& loss) {
    return Objective{GroupNormalized{}, loss, GlobalTokenMean{}};
  };
  const GspoLoss wide{.clip_low = 0.2, .clip_high = 0.28};
  check_golden("gspo_token", Gspo{});
  check_golden("gspo_wide", Objective{GroupNormalized{}, wide, SegmentMean{}});
  check_golden("gspo_token_wide", Objective{GroupNormalized{}, wide, SegmentMean{}});
  check_golden("cispo_trl", token_mean(CispoLoss::trl()));
  check_golden("cispo_lower", token_mean(CispoLoss::slime()));
  check_golden("dual_clip", token_mean(DualClipLoss{0.2, 0.28, 3.0}));
  check_golden("two_sided", token_mean(TwoSidedClipLoss{0.2, 0.28, 4.0}));
  check_golden("rloo", Objective{LeaveOneOut{}, PolicyGradient{}, GlobalTokenMean{}});
  check_golden("reinforce", Objective{RawReward{}, PolicyGradient{}, GlobalTokenMean{}});
}

TEST_CASE("regularizers have torch's loss and gradients", "[objective][golden]") {
  check_golden("kl_k1", with(KlPenalty<K1>{0.05}));
  check_golden("kl_k2", with(KlPenalty<K2>{0.05}));
  check_golden("kl_k3", with(KlPenalty<K3>{0.05}));
  check_golden("kl_k3_k2_gradient", with(KlPenalty<K3WithK2Gradient>{0.05}));
  check_golden("kl_k3_importance", with(KlPenalty<ImportanceWeightedK3>{0.05}));
  check_golden("entropy", with(EntropyBonus{0.01}));
}

TEST_CASE("importance corrections have torch's loss and gradients", "[objective][golden]") {
  const GeometricRejection keep{.low = 0.8, .high = 1.25};
  check_golden("tis", corrected(TruncatedIs{}));
  check_golden("icepop", corrected(IcePop{.low = 0.5, .high = 2.0}));
  check_golden("sequence_is", corrected(SequenceIs{.high = 2.0}));
  check_golden("geometric", corrected(keep));
  check_golden("mis", corrected(TruncatedIs{} * keep));
  check_golden("opsm", corrected(OffPolicyMask{.max_divergence = 0.03}));
}

namespace {
/// Drops tokens of weights that are more than one version old; asks for nothing else.
struct FreshOnly {
  static constexpr bool needs_sampler_log_probs = false;
  double weight(const CorrectionTerms& t) const { return t.staleness > 1 ? 0.0 : 1.0; }
};
}  // namespace

TEST_CASE("a correction sees how old the weights were that each token was drawn from",
          "[objective]") {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2, 3, 4});
  batch.old_weight_version = 9;
  batch.weight_version = {0, 9, 8, 7};
  for (const std::size_t t : {1U, 2U, 3U}) {
    batch.loss_weight[t] = 1.0F;
    batch.old_log_prob[t] = batch.sampler_log_prob[t] = -0.5F;
    batch.advantage[t] = 2.0F;
  }
  const Objective objective{GroupNormalized{}, ClipLoss{}, GlobalTokenMean{}, FreshOnly{}};
  weigh_by_importance(objective, batch);
  CHECK(loss_of(objective, batch, 1, {-0.5, 1.0}).value == Approx(-2.0));
  CHECK(loss_of(objective, batch, 2, {-0.5, 1.0}).value == Approx(-2.0));
  CHECK(loss_of(objective, batch, 3, {-0.5, 1.0}).value == 0.0);
}

namespace {

/// A minibatch's loss as a function of all log-probabilities.
template <class ObjectiveOf>
double total_loss(const ObjectiveOf& objective, PackedBatch batch, const Forward& now) {
  weigh_by_importance(objective, batch, now.log_prob);
  double total = 0;
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (batch.loss_weight[t] != 0)
      total += static_cast<double>(batch.loss_weight[t]) *
               loss_of(objective, batch, t, {now.log_prob[t], now.entropy[t]}).value;
  return total;
}

template <class ObjectiveOf>
void check_differences(const char* name, const ObjectiveOf& objective) {
  INFO(name);
  const Golden golden;
  Forward now(golden);
  PackedBatch batch = golden.batch;
  credit(golden, objective.advantage, batch);
  weigh(batch, objective.aggregation);
  weigh_by_importance(objective, batch, now.log_prob);
  for (std::size_t t = 0; t < batch.size(); ++t) {
    if (batch.loss_weight[t] == 0) continue;
    const double found = static_cast<double>(batch.loss_weight[t]) *
                         loss_of(objective, batch, t, {now.log_prob[t], now.entropy[t]}).d_log_prob;
    const double kept = now.log_prob[t], h = 1e-5;
    now.log_prob[t] = kept + h;
    const double above = total_loss(objective, batch, now);
    now.log_prob[t] = kept - h;
    const double below = total_loss(objective, batch, now);
    now.log_prob[t] = kept;
    CHECK(found == Approx((above - below) / (2 * h)).epsilon(1e-6).margin(1e-10));
  }
}

}  // namespace

TEST_CASE("a minibatch's loss has the slope that its tokens' derivatives say", "[objective]") {
  const ClipLoss clip{0.2, 0.28};
  check_differences("token mean", Objective{GroupNormalized{}, clip, GlobalTokenMean{}});
  check_differences("rollout mean", Objective{GroupNormalized{}, clip, RolloutMean{}});
  check_differences("segment mean", Objective{GroupNormalized{}, clip, SegmentMean{}});
  check_differences("fixed length", Objective{GroupNormalized{}, clip, FixedLength{16}});
  // The sequence ratio moves with every token of its segment.
  const GspoLoss wide{.clip_low = 0.2, .clip_high = 0.28};
  check_differences("sequence ratio", Objective{GroupNormalized{}, wide, SegmentMean{}});
  check_differences("sequence ratio", Objective{GroupNormalized{}, wide, RolloutMean{}});
}
