#include "dualagent/model/policy_loss.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/policy_formula.hpp"

using namespace dualagent;
using policy_formula::Answer;
using policy_formula::Problem;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
constexpr double tolerance() {  // relative
  return std::is_same_v<T, double> ? 1e-12 : 1e-5;
}

/// The fused loss of a problem on rows `slack` elements further apart than they are long.
template <class T>
struct Fused {
  TokenOutputs outputs;
  std::vector<T> memory;    // [rows, vocab + slack]
  std::vector<T> d_logits;  // [rows, vocab]

  Fused(const Problem& problem, const std::vector<double>& logits, std::size_t threads = 1,
        std::size_t slack = 3)
      : memory(problem.rows * (problem.vocab + slack), T{55}) {
    const std::size_t stride = problem.vocab + slack;
    for (std::size_t i = 0; i < logits.size(); ++i)
      memory[i / problem.vocab * stride + i % problem.vocab] = static_cast<T>(logits[i]);
    outputs.resize(problem.rows);
    ThreadPool pool(threads);
    policy_loss_on_logits(pool, Matrix<T>{memory.data(), problem.rows, problem.vocab, stride},
                          problem.policy_rows(), problem.loss, outputs);
    for (std::size_t i = 0; i < logits.size(); ++i)
      d_logits.push_back(memory[i / problem.vocab * stride + i % problem.vocab]);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("the fused policy loss is the formula of five steps", "[model][policy]", float,
                   double) {
  using T = TestType;
  for (const std::size_t vocab : {1U, 2U, 15U, 16U, 17U, 100U, 515U, 4096U}) {
    const std::size_t rows = 37;
    Problem problem = policy_formula::problem_of(rows, vocab, vocab);
    std::vector<double> logits = normals<double>(rows * vocab, vocab, 3.0);
    for (double& logit : logits) logit = static_cast<double>(static_cast<T>(logit));
    policy_formula::settle(problem, logits);
    const Answer expected = policy_formula::unfused(problem, logits);
    const Fused<T> fused(problem, logits);
    INFO("vocabulary of " << vocab);
    CHECK(policy_formula::relative_error(fused.d_logits, expected.d_logits) <= tolerance<T>());
    for (std::size_t t = 0; t < rows; ++t) {
      if (problem.loss_weight[t] == 0.0F) continue;
      const double margin = 10 * tolerance<T>();
      CHECK(fused.outputs.log_prob[t] ==
            Approx(expected.log_prob[t]).epsilon(tolerance<T>()).margin(margin));
      CHECK(fused.outputs.entropy[t] ==
            Approx(expected.entropy[t]).epsilon(tolerance<T>()).margin(margin));
      CHECK(fused.outputs.loss[t] == Approx(expected.loss[t]).epsilon(10 * tolerance<T>()));
    }
  }
}

TEST_CASE("the gradient of the fused policy loss is that of central differences",
          "[model][policy]") {
  Problem problem = policy_formula::problem_of(5, 19, 3);
  std::vector<double> logits = normals<double>(5 * 19, 4, 2.0);
  policy_formula::settle(problem, logits);
  const Fused<double> fused(problem, logits);
  const auto total = [&] {
    const Fused<double> at(problem, logits);
    double sum = 0;
    for (std::size_t t = 0; t < problem.rows; ++t)
      if (problem.loss_weight[t] != 0.0F)
        sum += static_cast<double>(problem.loss_weight[t]) * at.outputs.loss[t];
    return sum;
  };
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double at = logits[i];
    logits[i] = at + 1e-5;
    const double above = total();
    logits[i] = at - 1e-5;
    const double slope = (above - total()) / 2e-5;
    logits[i] = at;
    CHECK(fused.d_logits[i] == Approx(slope).epsilon(1e-6).margin(1e-9));
  }
}

TEST_CASE("masked rows get exactly no gradient, whatever they hold, and keep their outputs",
          "[model][policy]") {
  Problem problem = policy_formula::problem_of(9, 21, 5);
  std::vector<double> logits = normals<double>(9 * 21, 6, 2.0);
  policy_formula::settle(problem, logits);
  problem.target[3] = -7;  // of nobody: rows 3 and 8 are masked
  problem.temperature[8] = 0.0F;
  for (std::size_t v = 0; v < 21; ++v) logits[3 * 21 + v] = kNan;
  const Fused<float> fused(problem, logits, 2);
  for (const std::size_t t : {3U, 8U}) {
    for (std::size_t v = 0; v < 21; ++v) CHECK(fused.d_logits[t * 21 + v] == 0.0F);
    CHECK(fused.outputs.log_prob[t] == 0.0);
    CHECK(fused.outputs.loss[t] == 0.0);
  }
}

TEST_CASE("nothing between the rows is written", "[model][policy]") {
  Problem problem = policy_formula::problem_of(8, 35, 7);
  const auto logits = normals<double>(8 * 35, 8, 1.0);
  policy_formula::settle(problem, logits);
  const Fused<float> fused(problem, logits, 1, 4);
  for (std::size_t t = 0; t < 8; ++t)
    for (std::size_t i = 35; i < 39; ++i) CHECK(fused.memory[t * 39 + i] == 55.0F);
}

TEST_CASE("a row's bits do not depend on threads or on where rows lie", "[model][policy]") {
  Problem problem = policy_formula::problem_of(103, 77, 9);
  const auto logits = normals<double>(103 * 77, 10, 3.0);
  policy_formula::settle(problem, logits);
  const Fused<float> alone(problem, logits, 1, 0);
  for (const std::size_t threads : {1U, 2U, 3U}) {
    const Fused<float> fused(problem, logits, threads, threads);
    CHECK(fused.d_logits == alone.d_logits);
    CHECK(fused.outputs.log_prob == alone.outputs.log_prob);
    CHECK(fused.outputs.entropy == alone.outputs.entropy);
    CHECK(fused.outputs.loss == alone.outputs.loss);
  }
}

TEMPLATE_TEST_CASE("logits of 10,000 either way, and impossible tokens, keep the formula",
                   "[model][policy]", float, double) {
  using T = TestType;
  Problem problem = policy_formula::problem_of(3, 50, 11);
  problem.temperature.assign(3, 1.0F);
  std::vector<double> logits = normals<double>(3 * 50, 12, 1.0);
  logits[5] = 10'000.0;  // row 0: certain
  for (std::size_t v = 0; v < 50; ++v) logits[50 + v] = v % 2 == 0 ? -10'000.0 : -9'999.0;
  for (std::size_t v = 0; v < 50; v += 3) logits[100 + v] = -kInfinity;
  for (double& logit : logits) logit = static_cast<double>(static_cast<T>(logit));
  problem.target = {5, 7, 1};
  policy_formula::settle(problem, logits);
  const Answer expected = policy_formula::unfused(problem, logits);
  const Fused<T> fused(problem, logits);
  CHECK(policy_formula::relative_error(fused.d_logits, expected.d_logits) <= tolerance<T>());
  CHECK(fused.outputs.log_prob[0] == 0.0);
  CHECK(fused.outputs.entropy[0] == 0.0);
  for (std::size_t v = 0; v < 50; v += 3) CHECK(fused.d_logits[100 + v] == T{0});
  for (const std::size_t t : {1U, 2U})
    CHECK(fused.outputs.entropy[t] == Approx(expected.entropy[t]).epsilon(1e-5));
}

TEST_CASE("an impossible target has log-probability -infinity, which a bounded ratio survives",
          "[model][policy]") {
  Problem problem = policy_formula::problem_of(1, 4, 13);
  problem.target = {2};
  problem.loss.advantage = {-1.0};  // r A of a vanishing r, unclipped
  problem.loss.entropy_bonus = 0.0;
  const Fused<float> fused(problem, {0.0, 0.0, -kInfinity, 0.0});
  CHECK(fused.outputs.log_prob[0] == -kInfinity);
  for (const float d : fused.d_logits) CHECK(d == 0.0F);
}

TEST_CASE("logits without a distribution are an error that names the row", "[model][policy]") {
  for (const double poison : {kNan, kInfinity}) {
    Problem problem = policy_formula::problem_of(7, 33, 15);
    auto logits = normals<double>(7 * 33, 16, 1.0);
    policy_formula::settle(problem, logits);
    logits[4 * 33 + 32] = poison;
    const std::string error = error_of([&] { Fused<float>(problem, logits, 2); });
    CHECK(error.find("(row 4)") != std::string::npos);
    CHECK(error.find("NaN or infinity") != std::string::npos);
  }
  Problem problem = policy_formula::problem_of(2, 5, 17);
  const std::vector<double> never(10, -kInfinity);
  CHECK(error_of([&] { Fused<double>(problem, never); }).find("row 0") != std::string::npos);
}

TEST_CASE("a loss that is not finite is an error that names the row", "[model][policy]") {
  ThreadPool pool(1);
  std::vector<float> logits(12, 0.5F);
  const std::vector<Token> target{0, 1, 2};
  const std::vector<float> weight(3, 1.0F);
  TokenOutputs outputs;
  outputs.resize(3);
  const auto infinite_at_1 = [](std::size_t t, const TokenPrediction&) {
    return TokenLossGradient{0.0, t == 1 ? kInfinity : 1.0, 0.0, 0.0};
  };
  const std::string error = error_of([&] {
    policy_loss_on_logits(pool, Matrix<float>{logits.data(), 3, 4, 4}, {target, weight, {}},
                          infinite_at_1, outputs);
  });
  CHECK(error.find("(row 1)") != std::string::npos);
  CHECK(error.find("derivatives inf") != std::string::npos);
}

TEST_CASE("temperatures may be left out; without rows nothing is done", "[model][policy]") {
  ThreadPool pool(2);
  TokenOutputs outputs;
  const auto unit = [](std::size_t, const TokenPrediction& now) {
    return TokenLossGradient{-now.log_prob, -1.0, 0.0, 0.0};
  };
  policy_loss_on_logits(pool, Matrix<float>{nullptr, 0, 0, 0}, {}, unit, outputs);
  std::vector<double> logits{std::log(3.0), 0.0};  // probabilities 3/4 and 1/4
  const std::vector<Token> target{1};
  const std::vector<float> weight{2.0F};
  outputs.resize(1);
  policy_loss_on_logits(pool, Matrix<double>{logits.data(), 1, 2, 2}, {target, weight, {}}, unit,
                        outputs);
  CHECK(outputs.loss[0] == Approx(std::log(4.0)));
  CHECK(logits[0] == Approx(2 * 0.75));
  CHECK(logits[1] == Approx(2 * (0.25 - 1.0)));
}

TEST_CASE("arguments that do not fit are errors, and nothing is written", "[model][policy]") {
  ThreadPool pool(1);
  const std::vector<float> before(12, 0.5F);
  std::vector<float> logits = before;
  const std::vector<Token> target{0, 1, 2};
  const std::vector<float> weight{1.0F, 1.0F, 1.0F};
  TokenOutputs outputs;
  outputs.resize(3);
  const auto unit = [](std::size_t, const TokenPrediction&) { return TokenLossGradient{}; };
  const auto error = [&](const PolicyRows& rows, std::size_t stride = 4) {
    return error_of([&] {
      policy_loss_on_logits(pool, Matrix<float>{logits.data(), 3, 4, stride}, rows, unit, outputs);
    });
  };
  const auto says = [](const std::string& text, const char* part) {
    INFO(text);
    return text.find(part) != std::string::npos;
  };
  const std::vector<Token> wrong_target{0, 4, 2}, two_targets{0, 1};
  const std::vector<float> cold{1.0F, 1.0F, 0.0F}, wrong_weight{1.0F, NAN, 1.0F};
  CHECK(says(error({target, weight, {}}, 3), "overlap at a stride of 3"));
  CHECK(says(error({two_targets, weight, {}}), "3 rows, but 2 targets"));
  CHECK(says(error({wrong_target, weight, {}}), "target 4 is not in the vocabulary of 4"));
  CHECK(says(error({wrong_target, weight, {}}), "row 1"));
  CHECK(says(error({target, wrong_weight, {}}), "loss weight is not finite"));
  CHECK(says(error({target, weight, cold}), "temperature is not a number > 0"));
  CHECK(says(error({target, weight, cold}), "row 2"));
  outputs.resize(2);
  CHECK(says(error({target, weight, {}}), "outputs for 2"));
  CHECK(logits == before);
}
