#include "dualagent/collective/context_parallel.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/collective/threads.hpp"
#include "laws/collective_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

static_assert(Collective<ContextParallel<ThreadCollective>>);
static_assert(!ContextParallel<ThreadCollective>::kSplitsModel);
static_assert(ContextParallel<LocalCollective, ThreadCollective>::kSplitsModel);

TEST_CASE("the ranks of a model that divide its rows are a collective of all of them",
          "[collective][laws]") {
  for (const MeshShape& shape :
       {MeshShape{1, 1}, MeshShape{3, 1}, MeshShape{1, 2}, MeshShape{2, 2}, MeshShape{2, 3}}) {
    const std::size_t size = shape.data * shape.model;
    std::vector<std::vector<double>> sums(size);
    std::vector<std::size_t> context_of(size), tensor_of(size);
    run_ranks(shape, [&](ThreadCollective context, ThreadCollective tensor) {
      ContextParallel all{context, tensor};
      if (all.size() != size) throw Error("size", "the test");
      sums[all.rank()] = laws::sums_of_rank(all);
      context_of[all.rank()] = all.context_axis().rank();
      tensor_of[all.rank()] = all.tensor_axis().rank();
    });
    for (const auto& sum : sums) CHECK(sum == laws::expected_sums(size));
    for (std::size_t rank = 0; rank < size; ++rank) {
      CHECK(context_of[rank] == rank / shape.model);
      CHECK(tensor_of[rank] == rank % shape.model);
    }
  }
}

TEST_CASE("a context axis alone is the collective that it was made of", "[collective][laws]") {
  std::vector<std::vector<double>> sums(3);
  run_ranks(3, [&](ThreadCollective threads) {
    ContextParallel ranks{threads};
    sums[ranks.rank()] = laws::sums_of_rank(ranks);
  });
  for (const auto& sum : sums) CHECK(sum == laws::expected_sums(3));
}

TEST_CASE("context and tensor groups that do not cross are refused on every rank", "[collective]") {
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective threads) {
    errors[threads.rank()] = error_of([&] { ContextParallel(threads, threads); });
  });
  for (const std::string& error : errors)
    CHECK_THAT(error, ContainsSubstring("ranks of one tensor group do not have one rank of the "
                                        "context axis: rank 0 has 0, rank 1 has 1") &&
                          ContainsSubstring("r % t of the tensor axis"));
}
