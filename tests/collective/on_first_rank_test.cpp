#include "dualagent/collective/on_first_rank.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/collective/threads.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

std::vector<std::byte> some_bytes(std::size_t count) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(i * 151 + 255));
  return bytes;
}

}  // namespace

TEST_CASE("all ranks get the bytes of rank 0, of any number", "[collective]") {
  for (const std::size_t count : {0U, 1U, 5U, 6U, 7U, 1000U}) {
    std::vector<std::vector<std::byte>> got(3);
    run_ranks(3, [&](ThreadCollective collective) {
      std::vector<std::byte>& mine = got[collective.rank()];
      mine = some_bytes(collective.rank() == 0 ? count : 4);
      share_bytes(collective, mine);
    });
    for (const auto& mine : got) CHECK(mine == some_bytes(count));
  }
}

TEST_CASE("work is done on rank 0 alone, and its result or error is everybody's", "[collective]") {
  std::vector<int> done(2);
  std::vector<std::size_t> sizes(2);
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective collective) {
    const std::size_t rank = collective.rank();
    sizes[rank] = on_first_rank(collective, [&] {
                    ++done[rank];
                    return some_bytes(9);
                  }).size();
    errors[rank] = error_of([&] {
      on_first_rank(collective, [&]() -> std::vector<std::byte> {
        throw Error("the disk is full", "model.safetensors");
      });
    });
  });
  CHECK(done == std::vector<int>{1, 0});
  CHECK(sizes == std::vector<std::size_t>{9, 9});
  CHECK(errors[0] == "the disk is full (model.safetensors)");
  CHECK_THAT(errors[1], ContainsSubstring("rank 0 failed: the disk is full"));
  LocalCollective alone;
  CHECK(on_first_rank(alone, [] { return some_bytes(3); }) == some_bytes(3));
}

TEST_CASE("work that fails on one of all ranks is an error on all of them", "[collective]") {
  std::vector<int> done(3);
  std::vector<std::string> errors(3);
  run_ranks(3, [&](ThreadCollective collective) {
    const std::size_t rank = collective.rank();
    on_all_ranks(collective, [&] { ++done[rank]; });
    errors[rank] = error_of([&] {
      on_all_ranks(collective, [&] {
        if (rank == 2) throw Error("no disk", "here");
      });
    });
  });
  CHECK(done == std::vector<int>(3, 1));
  CHECK(errors[0] == "rank 2 failed (rank 0 waited for it). See that rank's own error");
  CHECK(errors[1] == "rank 2 failed (rank 1 waited for it). See that rank's own error");
  CHECK(errors[2] == "no disk (here)");
}
