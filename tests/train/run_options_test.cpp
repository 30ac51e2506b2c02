#include "dualagent/train/run_options.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("a run's files lie in its folder under its name", "[train]") {
  const RunFiles files{.folder = "out", .name = "two_books"};
  CHECK(files.metrics() == "out/metrics/two_books.jsonl");
  CHECK(files.checkpoints() == "out/checkpoints/two_books");
  CHECK(files.best() == "out/checkpoints/two_books/best");
  CHECK(files.rollouts(12) == "out/rollouts/two_books/step-000012.jsonl");
}

TEST_CASE("the better one is larger or smaller, never equal", "[train]") {
  const BestBy largest{.metric = "eval_reward_mean"};
  CHECK(largest.text() == "larger eval_reward_mean");
  CHECK(largest.prefers(2.0, 1.0));
  CHECK_FALSE(largest.prefers(1.0, 1.0));
  const BestBy smallest{.metric = "loss", .better = BestBy::Better::smaller};
  CHECK(smallest.text() == "smaller loss");
  CHECK(smallest.prefers(1.0, 2.0));
  CHECK_FALSE(smallest.prefers(1.0, 1.0));
}

TEST_CASE("options that no run can have are refused", "[train]") {
  const auto refusal = [](const RunOptions& options) {
    return error_of([&] { options.validate(); });
  };
  const RunOptions good{.folder = "never-made", .steps = 1};
  CHECK(refusal(good) == "no error");
  CHECK_THAT(refusal({.folder = {}, .steps = 1}), ContainsSubstring("has no folder"));
  CHECK_THAT(refusal({.folder = "x"}), ContainsSubstring("steps is 0"));
  CHECK_THAT(refusal({.folder = std::string("x\0y", 3), .steps = 1}),
             ContainsSubstring("folder has a NUL byte at byte 1: x\\x00y (RunOptions)"));
  RunOptions bad = good;
  bad.checkpoint_every = 0;
  CHECK_THAT(refusal(bad), ContainsSubstring("checkpoint_every is 0"));
  bad = good;
  bad.retention.keep_last = 0;
  CHECK_THAT(refusal(bad), ContainsSubstring("keep_last is 0"));
  bad = good;
  bad.name = "a/b";
  CHECK_THAT(refusal(bad), ContainsSubstring("the run's name is \"a/b\""));
  // Its files would lie beside the folder, among those of all runs, or under a shorter name.
  for (const std::string& name :
       {std::string(".."), std::string("."), std::string("a\0b", 3), std::string("a\nb")}) {
    bad.name = name;
    CHECK_THAT(refusal(bad), ContainsSubstring("the run's name is "));
  }
  bad.name = "..a.b";
  CHECK(refusal(bad) == "no error");
}

TEST_CASE("a journal's name has its step and rank, and no other file's has", "[train]") {
  const RunFiles files{"out", "pair"};
  const std::filesystem::path path = files.journal(42, 3);
  CHECK(path == "out/journals/pair/000000000042-rank-3.journal");
  CHECK(files.step_of_journal(path, 3) == 42U);
  CHECK(!files.step_of_journal(path, 0));
  CHECK(!files.step_of_journal("out/journals/pair/42-rank-3.journal", 3));
  CHECK(!files.step_of_journal("out/journals/pair/000000000042-rank-3.journal.old", 3));
  CHECK(!files.step_of_journal("out/journals/pair/notes.txt", 3));
}
