#include "ledger_smollm2/run.hpp"

#include <algorithm>
#include <vector>

#include "dualagent/model/adapter_files.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/report/result_json.hpp"
#include "ledger_smollm2/rows.hpp"
#include "ledger_smollm2/tiny_room.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace ledger_smollm2;

namespace {

/// A tiny random model, and options of a short run with it.
struct TinyRun {
  TemporaryFolder folder;
  TinyRun() { tiny_folder::write(folder / "m"); }

  Options options(const char* out) const {
    Options options;
    options.model = folder / "m";
    options.room = tiny_room::kRoom;
    options.out = folder / out;
    options.threads = 1;
    options.rank = 2;
    options.warm_start_steps = 7;
    options.warm_start_rate = 0.03;
    options.demonstrations_per_step = 1;
    options.sums_per_step = 1;
    options.steps = 1;
    options.tasks_per_step = 2;
    options.group_size = 2;
    options.eval_tasks = 3;
    return options;
  }
  bool has(const std::string& file) const { return std::filesystem::exists(folder / file); }
};

}  // namespace

TEST_CASE("a run of all rows leaves their counts, adapters that load again and a report",
          "[ledger_smollm2]") {
  const TinyRun place;
  run(place.options("out"), "the command");
  std::vector<std::string> names;
  for (const dualagent::ResultRow& row :
       dualagent::read_result(place.folder / "out/result.json").rows) {
    names.push_back(row.name);
    CHECK(row.sampled.trials == 3);
    CHECK(row.greedy.trials == 3);
  }
  CHECK(names == std::vector<std::string>{"dual", "warm_start", "frozen_summarizer",
                                          "sliding_window", "no_limit"});
  for (const char* file : {"out/report.html", "out/success.svg"}) {
    INFO(file);
    CHECK(place.has(file));
  }
  auto base = dualagent::load_model(place.folder / "m");
  for (const char* agent : {"dual", "frozen_summarizer", "sliding_window", "no_limit"}) {
    INFO(agent);
    CHECK(dualagent::load_adapter(place.folder / "out/models" / agent / "answerer", base)
              .adapter()
              .rank == 2);
  }
  const auto records = dualagent::read_metrics(place.folder / "out/metrics/dual.jsonl");
  REQUIRE(records.size() == 1);
  CHECK(records[0].number("max_abs_log_ratio") == 0.0);
  CHECK(records[0].number("notes_with_total").has_value());
  CHECK(records[0].number("wrong_additions").has_value());
  const auto imitation =
      dualagent::read_metrics(place.folder / "out/metrics/warm_start_dual.jsonl");
  REQUIRE(imitation.size() == 7);
  CHECK(imitation.back().number("loss") < imitation.front().number("loss"));
}

TEST_CASE("one row alone: the trained pair, and beside it what it began from", "[ledger_smollm2]") {
  const TinyRun place;
  Options options = place.options("out");
  options.only = "dual";
  run(options, "the command");
  CHECK(place.has("out/metrics/dual.jsonl"));
  CHECK(place.has("out/models/dual/answerer/adapter_model.safetensors"));
  CHECK_FALSE(place.has("out/metrics/frozen_summarizer.jsonl"));
  CHECK_FALSE(place.has("out/metrics/sliding_window.jsonl"));
}

TEST_CASE("a warm start that ended halfway is resumed and ends with the same bits",
          "[ledger_smollm2]") {
  const TinyRun place;
  Options options = place.options("out");
  const Data data = make_data(options);
  Run whole(options, data);
  const Agent expected = whole.warm_start(Memory::notes, "dual");

  options.out = place.folder / "again";
  {
    Run run(options, data);
    std::size_t steps = 0;
    run.watch([&] {
      if (++steps == 6) throw dualagent::Error("the power is gone", "a test");
    });
    CHECK_THAT(error_of([&] { run.warm_start(Memory::notes, "dual"); }),
               ContainsSubstring("the power is gone"));
  }
  options.resume = true;
  Run resumed(options, data);
  std::size_t steps = 0;
  resumed.watch([&] { ++steps; });
  const Agent agent = resumed.warm_start(Memory::notes, "dual");
  CHECK(steps == 2);  // the checkpoint is that of step 5 of 7
  CHECK(std::equal(agent.parameters().begin(), agent.parameters().end(),
                   expected.parameters().begin(), expected.parameters().end()));
  options.warm_start_steps = 8;
  Run other(options, data);
  CHECK_THAT(error_of([&] { other.warm_start(Memory::notes, "dual"); }),
             ContainsSubstring("warm_start_steps"));
}
