#include "dualagent/reward/token_f1.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("token F1 is that of the definition on 409 pairs", "[reward][golden]") {
  std::ifstream file(DUALAGENT_TEST_DATA "/token_f1/token_f1.jsonl");
  REQUIRE(file);
  std::size_t pairs = 0, between = 0;
  for (std::string line; std::getline(file, line); ++pairs) {
    const auto pair = nlohmann::json::parse(line);
    const auto right = pair[0].get<std::string>(), said = pair[1].get<std::string>();
    const double expected = pair[2];
    between += expected > 0 && expected < 1 ? 1 : 0;
    INFO(line);
    CHECK(token_f1(right, said) == Approx(expected).margin(1e-12));
    CHECK(token_f1(said, right) == Approx(expected).margin(1e-12));
  }
  CHECK(pairs == 409);
  CHECK(between > 100);
}

TEST_CASE("an answer scores its F1, none scores 0", "[reward]") {
  const Task task{.id = "t", .answer = "the Eiffel Tower"};
  Rollout rollout;
  CHECK(TokenF1{}.score(task, rollout) == 0.0);
  rollout.answer = "Eiffel, Paris";  // one word of two in common
  CHECK(TokenF1{}.score(task, rollout) == 0.5);
  rollout.answer = "EIFFEL TOWER.";
  CHECK(TokenF1{}.score(task, rollout) == 1.0);
}

TEST_CASE("saying everything does not pay", "[reward]") {
  std::string everything;
  for (int i = 0; i < 1000; ++i) everything += "word" + std::to_string(i) + " ";
  CHECK(token_f1("word7", everything) == Approx(2.0 / 1001));
  CHECK(token_f1("word7", std::string("word7 word7 word7")) == Approx(0.5));
}

TEST_CASE("bytes that are not text are parts of words", "[reward]") {
  CHECK(token_f1("\xFF\xFE cat", std::string("\xFF\xFE\0 CAT", 7)) == Approx(0.5));
  CHECK(token_f1(std::string(1 << 20, '\xC3'), "x") == 0.0);
}
