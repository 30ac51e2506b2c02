#include "quickstart/data.hpp"

#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace quickstart;

TEST_CASE("generated files are read back, the same for the same seed", "[quickstart]") {
  TemporaryFolder folder;
  Options options;
  options.eval_tasks = 30;
  options.out = folder.path() / "a";
  std::filesystem::create_directories(options.out);
  const Data first = load_data(options);
  CHECK(first.training.size() == kGeneratedTrainingTasks);
  CHECK(first.held_out.size() == 30);
  CHECK(first.held_out_trails[7].total() == std::stoi(first.held_out[7].task().answer));
  CHECK(load_data(options).fingerprint == first.fingerprint);
  options.seed = 1;
  CHECK(load_data(options).fingerprint != first.fingerprint);
}

TEST_CASE("trails have distinct pages and two-digit totals", "[quickstart]") {
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Trail trail = make_trail(Difficulty{}, RandomStream::from_seed(4).child(i));
    CHECK(trail.entries.size() >= 7);
    CHECK(trail.entries.size() <= 10);
    CHECK(trail.opening >= 10);
    CHECK(trail.opening <= 49);
    CHECK(trail.total() <= 99);
    std::set<char> pages;
    for (std::size_t e = 0; e < trail.entries.size(); ++e) {
      pages.insert(trail.entries[e].page);
      CHECK(trail.entries[e].next ==
            (e + 1 < trail.entries.size() ? trail.entries[e + 1].page : '.'));
    }
    CHECK(pages.size() == trail.entries.size());
  }
}
