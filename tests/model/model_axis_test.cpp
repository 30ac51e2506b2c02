#include "dualagent/model/model_axis.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/model/transformer.hpp"
#include "support/catch.hpp"
#include "support/ragged_rows.hpp"

using namespace dualagent;

static_assert(OnModelAxis<ParallelTransformer<ThreadCollective>>);
static_assert(!OnModelAxis<Transformer<float>>);

TEST_CASE("log-softmax over the ranks that have the columns is that of whole rows", "[model]") {
  constexpr std::size_t kRows = 5, kTokens = 29;  // of ragged_shape
  const RandomStream random = RandomStream::from_seed(4);
  std::vector<double> logits(kRows * kTokens);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = 3 * random.normal(i);
  logits[7] = -std::numeric_limits<double>::infinity();
  const std::vector<double> inverse{1.0, 0.5, 2.0, 1.0, 1.5};
  const std::vector<Token> targets{0, 28, 14, 9, 7};
  std::vector<double> z = logits;
  std::vector<cpu::LogitsRow<double>> expected;
  for (std::size_t r = 0; r < kRows; ++r)
    expected.push_back(cpu::log_softmax_row<double>(kTokens, inverse[r], &z[r * kTokens], nullptr));
  for (const std::size_t ranks : {1U, 2U, 4U}) {
    struct Found {
      std::vector<cpu::LogitsRow<double>> rows;
      std::vector<double> targets, all;
    };
    std::vector<Found> found(ranks);
    run_ranks(ranks, [&](ThreadCollective handle) {
      const detail::ModelAxis axis(handle, {ragged_shape(true), handle.rank(), ranks});
      const std::size_t mine = axis.tokens().size();
      std::vector<double> part;
      for (std::size_t r = 0; r < kRows; ++r)
        part.insert(part.end(), &logits[r * kTokens + axis.tokens().begin],
                    &logits[r * kTokens + axis.tokens().begin] + mine);
      detail::SplitLogits<double> split;
      const Matrix<double> rows = dense(part.data(), kRows, mine);
      split.log_softmax(axis, rows, inverse, targets);
      const Matrix<double> all = split.gather(axis, rows);
      Found& here = found[handle.rank()];
      for (std::size_t r = 0; r < kRows; ++r) {
        here.rows.push_back(split.row(r));
        here.targets.push_back(split.z_of_target(r));
        here.all.insert(here.all.end(), all.row(r), all.row(r) + kTokens);
      }
    });
    for (const Found& here : found) {
      CHECK(here.all == z);  // the bits of whole rows
      for (std::size_t r = 0; r < kRows; ++r) {
        CHECK(here.rows[r].top == expected[r].top);
        CHECK(here.rows[r].log_sum == Approx(expected[r].log_sum).epsilon(1e-14));
        CHECK(here.rows[r].log_sum == found[0].rows[r].log_sum);
        CHECK(here.rows[r].entropy == Approx(expected[r].entropy).epsilon(1e-13));
        CHECK(here.targets[r] == z[r * kTokens + static_cast<std::size_t>(targets[r])]);
      }
    }
  }
}
