#include "dualagent/report/report_runs.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "support/warnings.hpp"

using namespace dualagent;

namespace {

/// A folder as a run leaves it.
void write_run(const std::filesystem::path& folder, const std::string& name, double loss) {
  ensure_directory(folder / "metrics");
  MetricsWriter metrics(folder / "metrics" / (name + ".jsonl"));
  metrics.write(0, {{"loss", loss}});
  metrics.write(1, {{"loss", loss / 2}, {"learning_rate", 1e-4}});
}

std::vector<std::string> names_of(const std::vector<ReportRun>& runs) {
  std::vector<std::string> names;
  for (const ReportRun& run : runs) names.push_back(run.group + "/" + run.name);
  return names;
}

}  // namespace

TEST_CASE("the runs of a folder are its metrics files, warm starts apart", "[report][runs]") {
  const TemporaryFolder folder;
  CHECK(read_runs(folder.path()).empty());
  write_run(folder.path(), "warm_start_dual", 4);
  write_run(folder.path(), "dual", 2);
  write_run(folder.path(), "all", 1);
  write_file_atomically(folder / "metrics/notes.txt", "not metrics");
  const std::vector<ReportRun> runs = read_runs(folder.path());
  CHECK(names_of(runs) == std::vector<std::string>{"/all", "/dual", "Warm start/dual"});
  REQUIRE(runs[1].records.size() == 2);
  CHECK(runs[1].records[1].number("loss") == 1.0);
}

TEST_CASE("a damaged file is left out and warned of once; a comparison refuses it",
          "[report][runs]") {
  const TemporaryFolder folder;
  write_run(folder.path(), "dual", 2);
  write_file_atomically(folder / "metrics/foreign.jsonl", "{\"step\":0}\nnot metrics\n");
  const Warnings warnings;
  for (int step = 0; step < 3; ++step)
    CHECK(names_of(read_runs(folder.path())) == std::vector<std::string>{"/dual"});
  CHECK(warnings.count() == 1);
  CHECK_THAT(warnings.text(),
             ContainsSubstring("left out of the report") && ContainsSubstring("foreign.jsonl:2"));
  const std::vector<std::filesystem::path> folders{folder.path()};
  CHECK_THROWS_WITH(compare_runs(folders), ContainsSubstring("foreign.jsonl:2"));
}

TEST_CASE("folders of one run each give rows and curves of their own names", "[report][runs]") {
  const TemporaryFolder folder;
  for (const char* seed : {"seed-0", "seed-1"}) {
    write_run(folder / seed, "dual", 2);
    write_result(folder / seed / "result.json",
                 {.rows = {{.name = "dual", .sampled = {1, 4}, .greedy = {3, 4}}}});
  }
  const std::vector<std::filesystem::path> folders{folder / "seed-0", folder / "seed-1" / ""};
  const ReportData data = compare_runs(folders);
  REQUIRE(data.rows.size() == 2);
  CHECK(data.rows[0].name == "seed-0");
  CHECK(data.rows[1].name == "seed-1");
  CHECK(data.rows[1].greedy.successes == 3);
  CHECK(names_of(data.runs) == std::vector<std::string>{"/seed-0", "/seed-1"});
}

TEST_CASE("a folder of several runs says which is which", "[report][runs]") {
  const TemporaryFolder folder;
  write_run(folder / "a", "dual", 2);
  write_run(folder / "a", "frozen", 2);
  write_run(folder / "b", "dual", 2);
  write_run(folder / "b", "warm_start_dual", 2);
  const std::vector<std::filesystem::path> folders{folder / "a", folder / "b"};
  CHECK(names_of(compare_runs(folders).runs) ==
        std::vector<std::string>{"/a, dual", "/a, frozen", "/b", "Warm start/b"});
  CHECK(names_of(compare_runs(std::span(folders).first(1)).runs) ==
        std::vector<std::string>{"/dual", "/frozen"});
}

TEST_CASE("folders of one name are told apart by their paths", "[report][runs]") {
  const TemporaryFolder folder;
  write_run(folder / "x/out", "dual", 2);
  write_run(folder / "y/out", "dual", 2);
  const std::vector<std::filesystem::path> folders{folder / "x/out", folder / "y/out"};
  const ReportData data = compare_runs(folders);
  CHECK(data.runs[0].name == folders[0].string());
  CHECK(data.runs[1].name == folders[1].string());
}

TEST_CASE("a folder without any run is refused by name", "[report][runs]") {
  const TemporaryFolder folder;
  const std::vector<std::filesystem::path> folders{folder.path()};
  CHECK_THROWS_WITH(compare_runs(folders), ContainsSubstring("no run in this folder") &&
                                               ContainsSubstring(folder.path().string()));
}
