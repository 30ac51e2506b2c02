#include "dualagent/model/policy_head.hpp"

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

template <class T>
struct Case {
  Problem problem;
  std::size_t width;
  std::vector<double> hidden, weights;  // [T, D], [V, D]; exact in T

  Case(std::size_t rows, std::size_t vocab, std::size_t d, std::uint64_t seed)
      : problem(policy_formula::problem_of(rows, vocab, seed)), width(d) {
    for (const T h : normals<T>(rows * d, seed + 1, 1.0)) hidden.push_back(static_cast<double>(h));
    for (const T w : normals<T>(vocab * d, seed + 2, 2.0 / std::sqrt(d)))
      weights.push_back(static_cast<double>(w));
    policy_formula::settle(problem, logits());
  }

  std::vector<double> logits() const {
    std::vector<double> logits(problem.rows * problem.vocab, 0.0);
    for (std::size_t t = 0; t < problem.rows; ++t)
      for (std::size_t v = 0; v < problem.vocab; ++v)
        for (std::size_t i = 0; i < width; ++i)
          logits[t * problem.vocab + v] += hidden[t * width + i] * weights[v * width + i];
    return logits;
  }
};

/// What policy_head_loss makes of a case; d_weights begins at `start` everywhere.
template <class T>
struct Fused {
  TokenOutputs outputs;
  std::vector<T> d_hidden, d_weights;

  explicit Fused(const Case<T>& c, std::size_t threads = 1, std::size_t chunk_rows = 256,
                 T start = T{1})
      : d_hidden(c.hidden.size(), T{9}), d_weights(c.weights.size(), start) {
    const std::vector<T> hidden(c.hidden.begin(), c.hidden.end());
    const std::vector<T> weights(c.weights.begin(), c.weights.end());
    outputs.resize(c.problem.rows);
    ThreadPool pool(threads);
    policy_head_loss(pool, PolicyHead<T>{c.width, hidden, weights, d_hidden, d_weights},
                     c.problem.policy_rows(), c.problem.loss, outputs, {.chunk_rows = chunk_rows});
  }
};

template <class T>
void check_against_formula(const Case<T>& c, const Fused<T>& fused, double start,
                           double tolerance) {
  const std::size_t d = c.width;
  const std::size_t vocab = c.problem.vocab;
  const Answer answer = policy_formula::unfused(c.problem, c.logits());
  std::vector<double> d_hidden(c.hidden.size(), 0.0), d_weights(c.weights.size(), 0.0);
  for (std::size_t t = 0; t < c.problem.rows; ++t)
    for (std::size_t v = 0; v < vocab; ++v)
      for (std::size_t i = 0; i < d; ++i) {
        d_hidden[t * d + i] += answer.d_logits[t * vocab + v] * c.weights[v * d + i];
        d_weights[v * d + i] += answer.d_logits[t * vocab + v] * c.hidden[t * d + i];
      }
  std::vector<double> added;
  for (const T value : fused.d_weights) added.push_back(static_cast<double>(value) - start);
  INFO(c.problem.rows << " rows, vocabulary of " << vocab << ", width " << d);
  CHECK(policy_formula::relative_error(fused.d_hidden, d_hidden) <= tolerance);
  CHECK(policy_formula::relative_error(added, d_weights) <= tolerance);
  for (std::size_t t = 0; t < c.problem.rows; ++t) {
    if (c.problem.loss_weight[t] == 0.0F) {
      for (std::size_t i = 0; i < d; ++i) CHECK(fused.d_hidden[t * d + i] == T{0});
      continue;
    }
    CHECK(fused.outputs.log_prob[t] ==
          Approx(answer.log_prob[t]).epsilon(tolerance).margin(tolerance));
    CHECK(fused.outputs.entropy[t] ==
          Approx(answer.entropy[t]).epsilon(tolerance).margin(tolerance));
    CHECK(fused.outputs.loss[t] == Approx(answer.loss[t]).epsilon(tolerance));
  }
}

}  // namespace

TEST_CASE("the fused head is the unfused formula: float", "[model][policy]") {
  for (const std::size_t vocab : {1U, 17U, 100U, 1100U})
    for (const std::size_t width : {1U, 20U, 64U, 131U}) {
      const Case<float> c(41, vocab, width, vocab + width);
      check_against_formula(c, Fused<float>(c, 2, 16, 0.0F), 0.0, 1e-5);
    }
}

TEST_CASE("the fused head is the unfused formula: double", "[model][policy]") {
  for (const std::size_t vocab : {1U, 17U, 100U, 1100U})
    for (const std::size_t width : {1U, 20U, 64U, 131U}) {
      const Case<double> c(41, vocab, width, vocab + width);
      check_against_formula(c, Fused<double>(c, 2, 16), 1.0, 1e-12);
    }
}

TEST_CASE("the gradients of the fused head are those of central differences", "[model][policy]") {
  Case<double> c(6, 23, 7, 3);
  const Fused<double> fused(c, 1, 4);
  const auto slope = [&](double& x) {
    const double at = x;
    const auto total = [&](double moved) {
      x = moved;
      const Fused<double> now(c);
      x = at;
      double sum = 0;
      for (std::size_t t = 0; t < c.problem.rows; ++t)
        if (c.problem.loss_weight[t] != 0.0F)
          sum += static_cast<double>(c.problem.loss_weight[t]) * now.outputs.loss[t];
      return sum;
    };
    return (total(at + 1e-5) - total(at - 1e-5)) / 2e-5;
  };
  for (std::size_t i = 0; i < c.hidden.size(); ++i)
    CHECK(fused.d_hidden[i] == Approx(slope(c.hidden[i])).epsilon(1e-6).margin(1e-9));
  for (std::size_t i = 0; i < c.weights.size(); ++i)
    CHECK(fused.d_weights[i] - 1.0 == Approx(slope(c.weights[i])).epsilon(1e-6).margin(1e-9));
}

TEMPLATE_TEST_CASE("the fused head has the same bits on any number of threads", "[model][policy]",
                   float, double) {
  using T = TestType;
  for (const std::size_t width : {24U, 160U}) {
    const Case<T> c(70, 1303, width, 5);
    const Fused<T> alone(c, 1, 32);
    for (const std::size_t threads : {2U, 3U, 7U}) {
      const Fused<T> fused(c, threads, 32);
      INFO(threads << " threads, width " << width);
      CHECK(fused.d_hidden == alone.d_hidden);
      CHECK(fused.d_weights == alone.d_weights);
      CHECK(fused.outputs.log_prob == alone.outputs.log_prob);
      CHECK(fused.outputs.loss == alone.outputs.loss);
    }
  }
}

TEST_CASE("chunks change no bit but those of the head's gradient", "[model][policy]") {
  const Case<float> c(50, 600, 48, 6);
  const Fused<float> whole(c);
  for (const std::size_t chunk_rows : {1U, 7U, 40U}) {
    const Fused<float> fused(c, 1, chunk_rows);
    CHECK(fused.d_hidden == whole.d_hidden);
    CHECK(fused.outputs.log_prob == whole.outputs.log_prob);
    std::vector<double> expected(whole.d_weights.begin(), whole.d_weights.end());
    CHECK(policy_formula::relative_error(fused.d_weights, expected) < 1e-6);
  }
}

TEST_CASE("kept panels of the head give the bits of the head itself", "[model][policy]") {
  const Case<float> c(13, 1040, 40, 7);
  const std::vector<float> hidden(c.hidden.begin(), c.hidden.end());
  const std::vector<float> weights(c.weights.begin(), c.weights.end());
  const auto rows = dense<const float>(weights.data(), 1040, 40);
  std::vector<float> panels(panels_size<float>(40, 1040));
  detail::HeadChunk<float> plain, kept;
  detail::SerialExecutor alone;
  const auto states = dense<const float>(hidden.data(), 13, 40);
  plain.forward(alone, states, {rows});
  kept.forward(alone, states, {rows, transpose_to_panels<float>(rows, panels.data())});
  for (std::size_t r = 0; r < 13; ++r)
    for (std::size_t v = 0; v < 1040; ++v)
      CHECK(plain.logits().row(r)[v] == kept.logits().row(r)[v]);
}

TEST_CASE("no rows, or none that is trained, leave the head's gradient alone", "[model][policy]") {
  const Case<float> none(0, 9, 5, 8);
  CHECK(Fused<float>(none, 2).d_weights == std::vector<float>(45, 1.0F));
  Case<float> masked(4, 9, 5, 9);
  masked.problem.loss_weight.assign(4, 0.0F);
  masked.hidden[3] = std::numeric_limits<double>::quiet_NaN();
  const Fused<float> fused(masked, 2);
  CHECK(fused.d_weights == std::vector<float>(45, 1.0F));
  CHECK(fused.d_hidden == std::vector<float>(20, 0.0F));
}

TEST_CASE("a hidden state that is not a number is an error that names its row", "[model][policy]") {
  Case<float> c(12, 30, 8, 10);
  c.hidden[9 * 8 + 2] = std::numeric_limits<double>::quiet_NaN();  // behind masked rows 3 and 8
  const std::string error = error_of([&] { Fused<float>(c, 2, 5); });
  INFO(error);
  CHECK(error.find("(row 9)") != std::string::npos);
}

TEST_CASE("sizes that do not fit are errors of the fused head", "[model][policy]") {
  ThreadPool pool(1);
  std::vector<float> hidden(6), weights(9), d_hidden(6), d_weights(9);
  const std::vector<Token> target{0, 1};
  const std::vector<float> weight(2, 1.0F);
  TokenOutputs outputs;
  outputs.resize(2);
  const auto error = [&](const PolicyHead<float>& head, PolicyHeadOptions options = {}) {
    return error_of([&] {
      policy_head_loss(
          pool, head, {target, weight, {}},
          [](std::size_t, const TokenPrediction&) { return TokenLossGradient{}; }, outputs,
          options);
    });
  };
  const auto says = [](const std::string& text, const char* part) {
    INFO(text);
    return text.find(part) != std::string::npos;
  };
  const std::span<float> short_span = std::span(d_hidden).first(5);
  CHECK(error({3, hidden, weights, d_hidden, d_weights}) == "no error");
  CHECK(says(error({0, hidden, weights, d_hidden, d_weights}), "width of the hidden states is 0"));
  CHECK(says(error({2, hidden, weights, d_hidden, d_weights}), "not rows of width 2"));
  CHECK(says(error({3, short_span, weights, d_hidden, d_weights}), "hidden has 5 elements"));
  CHECK(says(error({3, hidden, weights, short_span, d_weights}), "d_hidden has 5 elements"));
  CHECK(says(error({3, hidden, weights, d_hidden, d_hidden}), "d_weights has 6 elements"));
  CHECK(says(error({3, hidden, weights, d_hidden, d_weights}, {.chunk_rows = 0}), "chunk_rows"));
  const std::span<float> one_token = std::span(weights).first(3);
  CHECK(says(error({3, hidden, one_token, d_hidden, std::span(d_weights).first(3)}),
             "target 1 is not in the vocabulary of 1"));
}
