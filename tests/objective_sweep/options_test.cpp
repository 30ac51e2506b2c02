#include "objective_sweep/options.hpp"

#include "support/catch.hpp"

using namespace objective_sweep;

namespace {

const std::vector<std::string> kNames{"grpo", "ppo"};

Options parse(std::vector<const char*> arguments) { return parse_options(arguments, kNames); }

}  // namespace

TEST_CASE("without options both problems and all experiments run", "[objective_sweep]") {
  const Options options = parse({});
  CHECK(options.wants_problem("ledger_trail"));
  CHECK(options.wants_problem("two_books"));
  CHECK(options.wants_entry("ppo"));
  CHECK(options.steps == 40);
  CHECK(options.warm_start_steps == 2300);
  CHECK(options.out == "objective-sweep-out");
}

TEST_CASE("problems and experiments are chosen by name, beside the common options",
          "[objective_sweep]") {
  const Options options = parse({"--problem", "two_books", "--steps", "7", "--entry", "ppo",
                                 "--seed", "9", "--out", "here", "--resume"});
  CHECK_FALSE(options.wants_problem("ledger_trail"));
  CHECK(options.wants_problem("two_books"));
  CHECK(options.wants_entry("ppo"));
  CHECK_FALSE(options.wants_entry("grpo"));
  CHECK(options.steps == 7);
  CHECK(options.seed == 9);
  CHECK(options.out == "here");
  CHECK(options.resume);
  CHECK(parse({"--entry", "ppo", "--entry", "grpo"}).wants_entry("grpo"));
}

TEST_CASE("options that cannot be meant are refused by name", "[objective_sweep]") {
  CHECK_THROWS_WITH(parse({"--problem", "three_books"}),
                    ContainsSubstring("--problem") && ContainsSubstring("three_books") &&
                        ContainsSubstring("ledger_trail, two_books"));
  CHECK_THROWS_WITH(parse({"--entry", "GRPO"}),
                    ContainsSubstring("--entry") && ContainsSubstring("grpo, ppo"));
  CHECK_THROWS_WITH(parse({"--entry"}), ContainsSubstring("--entry"));
  CHECK_THROWS_WITH(parse({"--steps", "0"}), ContainsSubstring("--steps"));
  CHECK_THROWS_WITH(parse({"--only", "dual"}), ContainsSubstring("cannot be chosen here"));
  CHECK_THROWS_WITH(parse({"--tasks", "a", "--held-out", "b", "--ledger", "c"}),
                    ContainsSubstring("cannot be chosen here"));
  CHECK_THROWS_WITH(parse({"--entries"}), ContainsSubstring("--entries"));
}
