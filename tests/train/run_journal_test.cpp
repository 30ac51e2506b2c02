#include "dualagent/train/run_journal.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/train/run_work.hpp"
#include "dualagent/train/trainer.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/catch.hpp"
#include "support/counting_run.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// Work that notes which journals it is given.
struct Noting : counting::Counting {
  std::vector<std::string> journals = {};
  void use_journal(RolloutJournal* journal) {
    journals.push_back(journal == nullptr ? "none" : journal->path().filename().string());
  }
};

std::vector<std::string> files_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// Tools of a world that moves on with every answer: asked again, it says something else.
struct Counter {
  std::size_t* answers;
  std::size_t ends_at;
  ToolResult call(const ToolCall&, const CallInfo&) const {
    if (*answers == ends_at) throw Error("killed", "Counter");
    return {ToolStatus::ok, std::to_string(++*answers * 7 % 10)};
  }
  Execution execution(const ToolCall&) const { return Execution::immediate; }
  std::vector<ToolSpec> specs() const { return {{.name = "successor"}}; }
};

/// Knows the format and likes to call.
BigramModel calling_model() {
  BigramModel model = guessing::model();
  const auto prefer = [&](Token after, Token next, double logit) {
    model.parameters()[static_cast<std::size_t>(after) * toy::vocab +
                       static_cast<std::size_t>(next)] = logit;
  };
  for (int d = 0; d < 10; ++d) prefer(toy::digit(d), toy::call, 5.5);
  prefer(toy::sorry, toy::call, 4.0);
  return model;
}

struct Result {
  std::vector<double> weights;
  std::vector<std::map<std::string, double>> records;
};

/// Four steps with an evaluation after every second, in a world that stops at an answer.
Result train(const TemporaryFolder& folder, std::size_t& answers, std::size_t ends_at,
             std::optional<JournalSurvives> journal, std::size_t checkpoint_every) {
  BigramModel model = calling_model();
  Trainer trainer{
      SharedWeights{model},
      Protocol{toy::Dialect{.corrects = true}, Counter{&answers, ends_at},
               TokenBudget{.max_tokens = 20}, ReplaceBySummary{}, RolloutLimits{.max_turns = 6}},
      ExactMatch{},
      Recipe{Dapo{}},
      LocalCollective{},
      {.group_size = 3, .update = {.optimizer = {.learning_rate = 0.1}}, .seed = 3}};
  TaskStream tasks(guessing::five_tasks(6), RandomStream::from_seed(7));
  counting::Screen screen;
  TrainingRun run({.folder = folder.path(),
                   .steps = 4,
                   .earlier_run = EarlierRun::resume,
                   .checkpoint_every = checkpoint_every,
                   .journal = journal},
                  screen.screen());
  run.evaluate_every(2, [&] {
    const std::vector<Task> held_out = guessing::five_tasks(2);
    return trainer.evaluate(std::vector<EvaluationTask>(held_out.begin(), held_out.end()));
  });
  static_cast<void>(run.train(Reinforcement{trainer, tasks, {.tasks = 2}}));
  auto records = counting::records_of(run.files().metrics());
  for (auto& record : records)
    std::erase_if(record, [](const auto& entry) {
      return entry.first.find("seconds") != std::string::npos ||
             entry.first.find("per_second") != std::string::npos;
    });
  return {guessing::weights(model), records};
}

}  // namespace

TEST_CASE("a run has one journal for each checkpoint and removes old ones", "[train][journal]") {
  const TemporaryFolder folder;
  RunOptions options = counting::options(folder);
  options.journal = JournalSurvives::killed_process;
  options.checkpoint_every = 3;
  const RunFiles files{folder.path()};
  Noting work;
  std::vector<std::vector<std::string>> seen;
  work.in_step = [&](std::size_t) { seen.push_back(files_in(files.journals())); };
  counting::Screen screen;
  CHECK(TrainingRun(options, screen.screen()).train(work).steps_done == counting::kSteps);
  const std::string at[] = {"000000000000-rank-0.journal", "000000000003-rank-0.journal",
                            "000000000006-rank-0.journal", "000000000007-rank-0.journal"};
  CHECK(work.journals ==
        std::vector<std::string>{at[0], "none", at[1], "none", at[2], "none", at[3], "none"});
  REQUIRE(seen.size() == counting::kSteps);
  CHECK(seen[0] == std::vector<std::string>{at[0]});
  CHECK(seen[4] == std::vector<std::string>{at[1]});         // checkpoint 3 is the only one
  CHECK(seen[6] == std::vector<std::string>{at[1], at[2]});  // two are kept
  CHECK(!std::filesystem::exists(files.journals()));
}

TEST_CASE("what keeps no journal is refused where one is wanted", "[train][journal]") {
  const TemporaryFolder folder;
  RunOptions options = counting::options(folder);
  options.journal = JournalSurvives::killed_process;
  counting::Counting work;
  CHECK_THAT(
      error_of([&] { counting::train(options, work); }),
      ContainsSubstring("its work plays no rollouts") && ContainsSubstring("RunOptions::journal"));
  CHECK(work.steps.empty());
}

TEST_CASE("a run that was killed before its first checkpoint is an earlier run",
          "[train][journal]") {
  const TemporaryFolder folder;
  RunOptions options = counting::options(folder);
  options.journal = JournalSurvives::killed_process;
  Noting work;
  work.in_step = [](std::size_t) { throw Error("killed", "step"); };
  counting::Screen screen;
  CHECK_THAT(
      error_of([&] { static_cast<void>(TrainingRun(options, screen.screen()).train(work)); }),
      ContainsSubstring("killed"));
  options.earlier_run = EarlierRun::refuse;
  CHECK_THAT(
      error_of([&] { static_cast<void>(TrainingRun(options, screen.screen()).train(work)); }),
      ContainsSubstring("the folder holds an earlier run") && ContainsSubstring("journals"));
}

TEST_CASE("a run that ends at any answer of a tool goes on to the weights of one that did not",
          "[train][journal]") {
  const std::size_t every = GENERATE(std::size_t{1}, std::size_t{3});
  const TemporaryFolder whole_folder;
  std::size_t all = 0;
  const Result whole = train(whole_folder, all, 1'000'000, std::nullopt, every);
  REQUIRE(all > 20);
  for (std::size_t end = 0; end < all; end += 1 + all / 25) {
    INFO("ends at answer " << end);
    const TemporaryFolder folder;
    std::size_t answers = 0;
    CHECK_THAT(
        error_of([&] { train(folder, answers, end, JournalSurvives::killed_process, every); }),
        ContainsSubstring("killed"));
    const Result resumed =
        train(folder, answers, 1'000'000, JournalSurvives::killed_process, every);
    CHECK(answers == all);
    CHECK((resumed.weights == whole.weights));
    CHECK((resumed.records == whole.records));
  }
}

TEST_CASE("without a journal a world that moves on is asked again", "[train][journal]") {
  const TemporaryFolder whole_folder, folder;
  std::size_t all = 0, answers = 0;
  const Result whole = train(whole_folder, all, 1'000'000, std::nullopt, 1);
  CHECK_THAT(error_of([&] { train(folder, answers, all - 2, std::nullopt, 1); }),
             ContainsSubstring("killed"));
  const Result resumed = train(folder, answers, 1'000'000, std::nullopt, 1);
  CHECK(answers > all);
}
