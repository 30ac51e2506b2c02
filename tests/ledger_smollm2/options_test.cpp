#include "ledger_smollm2/options.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace ledger_smollm2;

namespace {
Options parse(std::vector<const char*> arguments) { return parse_options(arguments); }
}  // namespace

TEST_CASE("the recipe is the example's own, flags change it", "[ledger_smollm2]") {
  const Options options =
      parse({"--model", "m", "--only", "dual", "--steps", "3", "--seed", "7", "--threads", "1"});
  CHECK(options.model == "m");
  CHECK(options.wants("dual"));
  CHECK_FALSE(options.wants("no_limit"));
  CHECK(options.steps == 3);
  CHECK(options.seed == 7);
  CHECK(options.eval_tasks == 128);
  CHECK(options.out == "ledger-smollm2-out");
}

TEST_CASE("what cannot be meant is refused by the flag's name", "[ledger_smollm2]") {
  CHECK_THAT(error_of([] { parse({}); }), ContainsSubstring("--model"));
  CHECK_THAT(error_of([] { parse({"--model"}); }), ContainsSubstring("--model"));
  CHECK_THAT(error_of([] {
               parse({"--model", "m", "--any-warm-start"});
             }),
             ContainsSubstring("--any-warm-start"));
  CHECK_THAT(error_of([] {
               parse({"--model", "m", "--tasks", "a", "--held-out", "b", "--ledger", "c"});
             }),
             ContainsSubstring("--tasks"));
  CHECK(parse({"--help"}).help);  // without a model
}
