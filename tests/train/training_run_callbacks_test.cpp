#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "dualagent/report/html_report.hpp"
#include "dualagent/report/report_runs.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/catch.hpp"
#include "support/counting_run.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace counting;

TEST_CASE("an evaluation comes after every n steps and after the last", "[train]") {
  TemporaryFolder folder;
  Screen screen;
  TrainingRun run(options(folder), screen.screen());
  std::size_t played = 0;
  run.evaluate_every(3,
                     [&] {
                       Evaluation evaluation{.samples = 2, .reward_mean = 0.25 + double(played++)};
                       for (const double reward : {1.0, 0.0, 0.3, 0.0})
                         evaluation.rollouts.emplace_back().reward = reward;
                       return evaluation;
                     },
                     {.name = "held_out", .pass_at = {1, 2}, .success_above = 0.2});
  Counting work;
  REQUIRE(run.train(work).steps_done == kSteps);
  CHECK(played == 3);
  const auto records = records_of(run.files().metrics());
  std::vector<std::size_t> evaluated;
  for (std::size_t step = 0; step < kSteps; ++step)
    if (records[step].contains("held_out_reward_mean")) evaluated.push_back(step + 1);
  CHECK(evaluated == std::vector<std::size_t>{3, 6, 7});
  CHECK(records[5].at("held_out_reward_mean") == 1.25);
  CHECK(records[5].at("held_out_pass_at_1") == 0.5);
  CHECK(records[5].at("held_out_pass_at_2") == 1.0);
  CHECK(records[5].at("held_out_aborted") == 0.0);
  CHECK_THAT(screen.text,
             ContainsSubstring("held_out after step 6: reward_mean 1.250, pass_at_1 0.500"));
}

TEST_CASE("an evaluation whose rollouts were all aborted has no mean reward", "[train]") {
  TemporaryFolder folder;
  Screen screen;
  TrainingRun run(options(folder), screen.screen());
  run.evaluate_every(kSteps, [] {
    Evaluation evaluation{.aborted = 2};
    evaluation.rollouts.resize(2);
    return evaluation;
  });
  Counting work;
  CHECK(!run.train(work).interrupted());
  const auto records = records_of(run.files().metrics());
  CHECK(records.back().at("eval_aborted") == 2.0);
  CHECK(!records.back().contains("eval_reward_mean"));
}

TEST_CASE("the best checkpoint is the first one with the best value", "[train]") {
  const std::vector<double> scores{2, 5, std::nan(""), 5, 1, 4, 1};
  const auto best_step = [&](BestBy best) {
    TemporaryFolder folder;
    RunOptions with_best = options(folder);
    with_best.best = best;
    Counting work;
    work.score = [&](std::size_t step) { return scores.at(step); };
    Screen screen;
    TrainingRun run(with_best, screen.screen());
    REQUIRE(run.train(work).steps_done == kSteps);
    Counting loaded;
    const std::size_t steps = run.load_best(loaded);
    CHECK(loaded.state == state_after(steps));
    return steps;
  };
  CHECK(best_step({"score"}) == 2);
  CHECK(best_step({.metric = "score", .better = BestBy::Better::smaller}) == 5);
}

TEST_CASE("the best of one metric is not compared with another's, nor lost", "[train]") {
  TemporaryFolder folder;
  RunOptions by_score = options(folder);
  by_score.steps = 3;
  by_score.best = {"score"};
  Counting work;
  train(by_score, work);
  RunOptions by_state = by_score;
  by_state.steps = 4;
  by_state.best = {.metric = "state", .better = BestBy::Better::smaller};
  const std::string error = error_of([&] { train(by_state, work); });
  CHECK_THAT(error, ContainsSubstring("by the larger score, not by the smaller state"));
  const RunFiles files{folder.path()};
  CHECK(files_in(files.best()) == std::set<std::string>{checkpoint_file_name(3)});
  for (const std::string& name : files_in(files.checkpoints()))
    std::filesystem::remove(files.checkpoints() / name);
  CHECK_THAT(error_of([&] { train(by_score, work); }), ContainsSubstring("none to go on from"));
}

TEST_CASE("what is not finite is never the best", "[train]") {
  TemporaryFolder folder;
  RunOptions with_best = options(folder);
  with_best.best = {"score"};
  Counting work;
  work.score = [](std::size_t step) {
    return step == 0 ? std::numeric_limits<double>::infinity() : double(step == 2);
  };
  Screen screen;
  TrainingRun run(with_best, screen.screen());
  CHECK(!run.train(work).interrupted());
  CHECK(run.load_best(work) == 3);
}

TEST_CASE("a best metric that no step has is warned of", "[train]") {
  TemporaryFolder folder;
  RunOptions misspelt = options(folder);
  misspelt.best = {"scoer"};
  Screen screen;
  TrainingRun run(misspelt, screen.screen());
  Counting work;
  REQUIRE(run.train(work).steps_done == kSteps);
  CHECK_THAT(screen.text, ContainsSubstring("warning: no step had the number \"scoer\""));
  CHECK_THAT(error_of([&] { run.load_best(work); }), ContainsSubstring("no best checkpoint"));
}

TEST_CASE("callbacks come in their order, around the record and the checkpoint", "[train]") {
  TemporaryFolder folder;
  RunOptions two = options(folder);
  two.steps = 2;
  Screen screen;
  TrainingRun run(two, screen.screen());
  std::string events;
  const auto records = [&] { return std::to_string(read_metrics(run.files().metrics()).size()); };
  run.every(1, [&](RunRecord& record) {
    events += " first:" + std::to_string(record.step) + "/" + records();
    record.add("added", 7);
  });
  run.every(2, [&](RunRecord& record) {
    events += " second:" + shortest_text(record.number("added").value());
    record.note = "changed";
  });
  run.after_record([&](const RunRecord& record) {
    events += " recorded:" + std::to_string(record.step) + "/" + records();
  });
  run.after_checkpoint([&](const std::filesystem::path& path) {
    events += " saved:" + std::to_string(StoredCheckpoint::open(path).step()) + "/" + records();
  });
  Counting work;
  work.in_step = [&](std::size_t step) { events += " step:" + std::to_string(step); };
  REQUIRE(run.train(work).steps_done == 2);
  CHECK(events ==
        " step:0 first:0/0 recorded:0/1 saved:1/1"
        " step:1 first:1/1 second:7 recorded:1/2 saved:2/2");
  CHECK(records_of(run.files().metrics())[1].at("added") == 7);
}

TEST_CASE("a callback ends a run early, and a resumed one remembers it", "[train]") {
  TemporaryFolder folder;
  RunOptions given = options(folder);
  given.checkpoint_every = 5;
  Counting work;
  Screen screen;
  TrainingRun run(given, screen.screen());
  run.every(1, [](RunRecord& record) { record.ends_run = record.step == 2; });
  const RunOutcome outcome = run.train(work);
  CHECK(outcome.ended());
  CHECK(!outcome.interrupted());
  CHECK(outcome.steps_done == 3);
  CHECK(read_metrics(run.files().metrics()).size() == 3);

  Counting again;
  const RunOutcome resumed = train(given, again);
  CHECK(resumed.ended());
  CHECK(resumed.steps_done == 3);
  CHECK(again.steps.empty());
  CHECK(again.state == state_after(3));
}

TEST_CASE("a run whose last step is to be its last has finished", "[train]") {
  TemporaryFolder folder;
  Counting work;
  Screen screen;
  TrainingRun run(options(folder), screen.screen());
  run.every(kSteps, [](RunRecord& record) { record.ends_run = true; });
  const RunOutcome outcome = run.train(work);
  CHECK(outcome.end == RunOutcome::End::finished);
  CHECK(outcome.steps_done == kSteps);
}

TEST_CASE("a watched report shows each step as soon as it is done", "[train][report]") {
  TemporaryFolder folder;
  Screen screen;
  TrainingRun run(options(folder), screen.screen());
  LiveReport live(folder / "report.html", 0);
  std::vector<std::size_t> shown;
  run.after_record([&](const RunRecord&) {
    live.update([&] { return ReportData{.runs = read_runs(folder.path())}; });
    const std::string data = read_file(folder / "report-data.js");
    const std::size_t begin = data.find('(') + 1;
    const auto json = nlohmann::json::parse(data.substr(begin, data.rfind(')') - begin));
    shown.push_back(json["runs"][0]["steps"].size());
  });
  Counting work;
  REQUIRE(run.train(work).steps_done == kSteps);
  CHECK(shown == std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7});
}
