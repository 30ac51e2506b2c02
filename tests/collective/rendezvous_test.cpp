#include "dualagent/collective/rendezvous.hpp"

#include <exception>
#include <thread>

#include "dualagent/collective/threads.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// 128 bytes, as NCCL's id has: those of rank 0, zeros elsewhere.
std::vector<std::byte> id_of(std::size_t rank) {
  std::vector<std::byte> id(128);
  for (std::size_t i = 0; rank == 0 && i < id.size(); ++i) id[i] = static_cast<std::byte>(255 - i);
  return id;
}

}  // namespace

TEST_CASE("a shared file brings rank 0's bytes to all ranks and is then gone", "[collective]") {
  const TemporaryFolder folder;
  for (std::size_t ranks = 1; ranks <= 4; ++ranks)
    for (int again = 0; again < 3; ++again) {
      std::vector<std::vector<std::byte>> ids(ranks);
      run_ranks(ranks, [&](ThreadCollective collective) {
        std::vector<std::byte> id = id_of(collective.rank());
        SharedFile{folder.path() / "id", 60}.exchange(collective.rank(), ranks, id);
        ids[collective.rank()] = id;
      });
      for (const auto& id : ids) CHECK(id == id_of(0));
      CHECK(std::filesystem::is_empty(folder.path()));
    }
}

TEST_CASE("files that another run left behind are not taken", "[collective]") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "id";
  write_file_atomically(path, "1-2-3-4- 5-6-7-8- 9- \n" + std::string(128, 'x'));
  write_file_atomically(path.string() + ".1", "taken:1-2-3-4-");
  write_file_atomically(path.string() + ".2", "5-6-7-8-");
  std::vector<std::vector<std::byte>> ids(3);
  run_ranks(3, [&](ThreadCollective collective) {
    std::vector<std::byte> id = id_of(collective.rank());
    SharedFile{path, 60}.exchange(collective.rank(), 3, id);
    ids[collective.rank()] = id;
  });
  for (const auto& id : ids) CHECK(id == id_of(0));
}

TEST_CASE("a rank that waits for nobody says which file", "[collective]") {
  const TemporaryFolder folder;
  std::vector<std::byte> id(128);
  CHECK_THAT(
      error_of([&] {
        SharedFile{folder.path() / "id", 0.05}.exchange(1, 2, id);
      }),
      ContainsSubstring("rank 0's file") && ContainsSubstring((folder.path() / "id").string()));
  CHECK_THAT(error_of([&] {
               SharedFile{folder.path() / "id", 0.05}.exchange(0, 2, id);
             }),
             ContainsSubstring("other ranks' files"));
  CHECK_THAT(error_of([&] {
               SharedFile{folder.path() / "no" / "id", 1}.exchange(1, 2, id);
             }),
             ContainsSubstring("no/"));
}

TEST_CASE("a rank that the group does not have leaves no file", "[collective]") {
  const TemporaryFolder folder;
  std::vector<std::byte> id(128);
  CHECK_THAT(error_of([&] {
               SharedFile{folder.path() / "id", 0.05}.exchange(2, 2, id);
             }),
             ContainsSubstring("rank 2 is not in a group of 2"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a broadcast of any kind serves", "[collective]") {
  std::vector<std::vector<std::byte>> ids(3);
  run_ranks(3, [&](ThreadCollective collective) {
    std::vector<std::byte> id = id_of(collective.rank());
    ByBroadcast rendezvous{[&](std::byte* data, std::size_t size) {
      std::vector<float> numbers(size);
      for (std::size_t i = 0; i < size; ++i)
        numbers[i] = static_cast<float>(std::to_integer<int>(data[i]));
      collective.broadcast(std::span<float>(numbers), 0);
      for (std::size_t i = 0; i < size; ++i)
        data[i] = static_cast<std::byte>(static_cast<int>(numbers[i]));
    }};
    rendezvous.exchange(collective.rank(), 3, id);
    ids[collective.rank()] = id;
  });
  for (const auto& id : ids) CHECK(id == id_of(0));
}
