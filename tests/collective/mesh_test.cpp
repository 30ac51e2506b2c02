#include "dualagent/collective/mesh.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/collective/threads.hpp"
#include "laws/collective_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

static_assert(ShardingCollective<Mesh<ThreadCollective, LocalCollective>>);

TEST_CASE("a mesh is, as a collective, its data axis", "[collective][laws]") {
  for (const std::size_t model_ranks : {1U, 2U, 3U}) {
    std::vector<std::vector<double>> sums(2 * model_ranks);
    std::vector<std::string> faults(sums.size());
    run_ranks(MeshShape{.data = 2, .model = model_ranks},
              [&](ThreadCollective data, ThreadCollective model) {
                Mesh mesh{data, model};
                const std::size_t rank = data.rank() * model_ranks + model.rank();
                sums[rank] = laws::sums_of_rank(mesh);
                faults[rank] = laws::faults_of_shards(mesh);
              });
    for (const auto& sum : sums) CHECK(sum == laws::expected_sums(2));
    for (const std::string& fault : faults) CHECK(fault == "");
  }
}

TEST_CASE("the model axis of a mesh sums over its model group", "[collective]") {
  std::vector<double> sums(6);
  std::vector<int> first(6);
  run_ranks(MeshShape{.data = 2, .model = 3}, [&](ThreadCollective data, ThreadCollective model) {
    Mesh mesh{data, model};
    const std::size_t rank = 3 * data.rank() + model.rank();
    std::vector<double> one{static_cast<double>(rank)};
    mesh.model_axis().all_reduce_sum(std::span<double>(one));
    sums[rank] = one[0];
    first[rank] = is_first_rank(mesh) ? 1 : 0;
  });
  CHECK(sums == std::vector<double>{3, 3, 3, 12, 12, 12});  // 0 + 1 + 2 and 3 + 4 + 5
  CHECK(first == std::vector<int>{1, 0, 0, 0, 0, 0});
  CHECK(is_first_rank(LocalCollective{}));
  CHECK(is_first_rank(Mesh{LocalCollective{}, LocalCollective{}}));
}

TEST_CASE("a mesh whose groups do not form axes is refused on every rank", "[collective]") {
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective threads) {
    errors[threads.rank()] = error_of([&] { Mesh(threads, threads); });
  });
  for (const std::string& error : errors)
    CHECK_THAT(error, ContainsSubstring("ranks of one model group do not have one rank of the data "
                                        "axis: rank 0 has 0, rank 1 has 1"));
}

TEST_CASE("the model group of a rank that is alone in it is along any data axis", "[collective]") {
  run_ranks(2, [&](ThreadCollective threads) { Mesh(threads, LocalCollective{}); });
  run_ranks(2, [&](ThreadCollective threads) { Mesh(LocalCollective{}, threads); });
  SUCCEED("no rank was refused");
}

TEST_CASE("numbers are gathered in rank order, and the first that differs is found",
          "[collective]") {
  std::vector<std::vector<double>> all(3);
  run_ranks(3, [&](ThreadCollective threads) {
    all[threads.rank()] = gather_numbers(threads, threads.rank() == 2 ? 7.5 : 4.0);
  });
  for (const auto& numbers : all) {
    CHECK(numbers == std::vector<double>{4.0, 4.0, 7.5});
    CHECK(first_other(numbers) == 2);
  }
  CHECK(first_other(std::vector<double>{4.0, 4.0}) == 2);
}

TEST_CASE("all bits of a number are compared among ranks", "[collective]") {
  constexpr std::uint64_t kNumber = 0xFEDCBA9876543210;
  std::vector<std::vector<std::size_t>> first(3);
  run_ranks(3, [&](ThreadCollective collective) {
    const std::size_t rank = collective.rank();
    for (const unsigned bit : {0U, 31U, 32U, 63U})
      first[rank].push_back(
          first_other_bits(collective, kNumber ^ (std::uint64_t{rank == 2} << bit)));
    first[rank].push_back(first_other_bits(collective, kNumber));
  });
  for (const auto& mine : first) CHECK(mine == std::vector<std::size_t>{2, 2, 2, 2, 3});
}

TEST_CASE("a rank that differs from the first one with its part is found, in all bits",
          "[collective]") {
  const std::vector<double> all{1, 2, 1, 2, 1, 3};
  CHECK(first_other(all, 2) == 5);
  CHECK(first_other(std::span(all).first(5), 2) == 5);
  CHECK(first_other(all) == 1);
  std::vector<std::size_t> same(4), other(4);
  run_ranks(4, [&](ThreadCollective threads) {
    const std::size_t rank = threads.rank();
    const std::uint64_t number = rank % 2 == 0 ? 7 : std::uint64_t{9} << 40U;
    same[rank] = first_other_bits(threads, number, 2);
    other[rank] = first_other_bits(threads, number + (rank == 2 ? 1 : 0), 2);
  });
  CHECK(same == std::vector<std::size_t>(4, 4));
  CHECK(other == std::vector<std::size_t>(4, 2));
}
