#include "dualagent/report/result_json.hpp"

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

RunResult example() {
  return {.seed = 18446744073709551615ULL,
          .seconds = 412.5,
          .rows = {{.name = "dual",
                    .sampled = {190, 200},
                    .greedy = {198, 200},
                    .failures_sampled = {{"forgot", 6}, {"malformed", 3}, {"forgot", 1}},
                    .tokens_per_task = 88.5,
                    .seconds = 120.25},
                   {.name = "warm_start",
                    .note = "8 steps only",
                    .sampled = {40, 200},
                    .greedy = {50, 200}}},
          .max_abs_log_ratio = 0.0};
}

std::string reason_against(RunResult result) {
  try {
    static_cast<void>(result_json(result));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("result.json has the promised keys", "[report][result]") {
  const auto object = nlohmann::ordered_json::parse(result_json(example()));
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"seed", "seconds", "rows", "max_abs_log_ratio"});
  CHECK(object["seed"].get<std::uint64_t>() == 18446744073709551615ULL);
  CHECK(object["seconds"] == 412.5);
  CHECK(object["max_abs_log_ratio"] == 0.0);
  REQUIRE(object["rows"].size() == 2);
  const auto& dual = object["rows"][0];
  CHECK(dual["name"] == "dual");
  CHECK(dual["success_sampled"] == 0.95);
  CHECK(dual["success_greedy"] == 0.99);
  CHECK(dual["tasks"] == 200);
  CHECK(dual["solved_greedy"] == 198);
  CHECK(dual["interval_greedy"][0].get<double>() == Approx(0.9643).margin(1e-4));
  CHECK(dual["interval_greedy"][1].get<double>() == Approx(0.9973).margin(1e-4));
  CHECK(dual["failures_sampled"] == nlohmann::ordered_json{{"forgot", 7}, {"malformed", 3}});
  CHECK(dual["failures_greedy"] == nlohmann::ordered_json::object());
  CHECK(dual["tokens_per_task"] == 88.5);
  CHECK(dual["seconds"] == 120.25);
  CHECK(!dual.contains("note"));
  const auto& warm = object["rows"][1];
  CHECK(warm["note"] == "8 steps only");
  CHECK(!warm.contains("tokens_per_task"));
  CHECK(!warm.contains("seconds"));
}

TEST_CASE("a result reads back", "[report][result]") {
  const TemporaryFolder folder;
  write_result(folder / "result.json", example());
  const RunResult back = read_result(folder / "result.json");
  CHECK(back.seed == example().seed);
  CHECK(back.seconds == 412.5);
  CHECK(back.max_abs_log_ratio == 0.0);
  REQUIRE(back.rows.size() == 2);
  CHECK(back.rows[1].name == "warm_start");
  CHECK(back.rows[1].sampled.successes == 40);
  CHECK(back.rows[1].greedy.trials == 200);
  CHECK(back.rows[1].note == "8 steps only");
  CHECK(!back.rows[1].seconds);
  CHECK(back.rows[0].note.empty());
  CHECK(back.rows[0].tokens_per_task == 88.5);
  CHECK(back.rows[0].seconds == 120.25);
  REQUIRE(back.rows[0].failures_sampled.size() == 2);
  CHECK(back.rows[0].failures_sampled[0].kind == "forgot");
  CHECK(back.rows[0].failures_sampled[0].count == 7);
  CHECK(back.rows[0].failures_greedy.empty());
}

TEST_CASE("a result that would mislead is refused, the row named", "[report][result]") {
  const auto changed = [](auto change) {
    RunResult result = example();
    change(result);
    return reason_against(result);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(changed([](RunResult&) {}) == "accepted");
  CHECK_THAT(changed([](RunResult& r) { r.rows[1].name = "dual"; }),
             ContainsSubstring("two rows have one name") && ContainsSubstring("row 'dual'"));
  CHECK_THAT(changed([](RunResult& r) { r.rows[0].name = ""; }),
             ContainsSubstring("a row has no name"));
  CHECK_THAT(changed([](RunResult& r) { r.rows[1].greedy = {}; }),
             ContainsSubstring("same number of tasks") && ContainsSubstring("row 'warm_start'"));
  CHECK_THAT(changed([](RunResult& r) { r.rows[1].greedy.trials = 199; }),
             ContainsSubstring("same number of tasks"));
  CHECK_THAT(changed([](RunResult& r) { r.rows[0].sampled.successes = 201; }),
             ContainsSubstring("201 successes among 200 trials"));
  CHECK_THAT(changed([&](RunResult& r) { r.seconds = nan; }), ContainsSubstring("not finite"));
  CHECK_THAT(changed([&](RunResult& r) { r.max_abs_log_ratio = nan; }),
             ContainsSubstring("not finite"));
  CHECK_THAT(changed([&](RunResult& r) { r.rows[0].seconds = nan; }),
             ContainsSubstring("not finite"));
  CHECK_THAT(changed([](RunResult& r) { r.rows[0].note = "\xFF"; }),
             ContainsSubstring("not valid UTF-8"));
}

TEST_CASE("a refused result leaves the old file", "[report][result]") {
  const TemporaryFolder folder;
  write_result(folder / "result.json", example());
  RunResult bad = example();
  bad.rows[0].name = "";
  CHECK_THROWS_AS(write_result(folder / "result.json", bad), Error);
  CHECK(read_result(folder / "result.json").rows.size() == 2);
}

TEST_CASE("what is not a result is refused with its path", "[report][result]") {
  const TemporaryFolder folder;
  for (const char* text : {"", "[]", "7", "{}", "{\"seed\":1}",
                           "{\"seed\":\"x\",\"seconds\":1,\"rows\":[],"
                           "\"max_abs_log_ratio\":0}",
                           "{\"seed\":1,\"seconds\":1,\"rows\":[{}],"
                           "\"max_abs_log_ratio\":0}",
                           "{\"seed\":1,\"seconds\":1,\"rows\":[7],"
                           "\"max_abs_log_ratio\":0}"}) {
    std::ofstream(folder / "r.json") << text;
    CHECK_THROWS_WITH(read_result(folder / "r.json"), ContainsSubstring("r.json"));
  }
}

TEST_CASE("failures that are not counts by kind are refused", "[report][result]") {
  const TemporaryFolder folder;
  for (const char* failures : {"[1,2]", "3", "null", "\"x\"", "{\"late\":-1}", "{\"late\":0.5}"}) {
    std::ofstream(folder / "r.json")
        << "{\"seed\":1,\"seconds\":1,\"max_abs_log_ratio\":0,\"rows\":[{\"name\":\"a\",\"tasks\":"
           "2,"
        << "\"solved_sampled\":1,\"solved_greedy\":2,\"failures_greedy\":" << failures << "}]}";
    CHECK_THROWS_AS(read_result(folder / "r.json"), Error);
  }
}

TEST_CASE("counts that are not whole numbers are refused, not cast", "[report][result]") {
  const TemporaryFolder folder;
  const auto reason = [&](const std::string& seed, const std::string& tasks) {
    std::ofstream(folder / "r.json")
        << "{\"seed\":" << seed << ",\"seconds\":1,\"max_abs_log_ratio\":0,\"rows\":[{"
        << "\"name\":\"a\",\"tasks\":" << tasks << ",\"solved_sampled\":1,\"solved_greedy\":2}]}";
    try {
      return std::to_string(read_result(folder / "r.json").rows.at(0).sampled.trials);
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  CHECK(reason("1", "2") == "2");
  CHECK_THAT(reason("1", "1"), ContainsSubstring("solved_greedy is 2, not a whole number from 0"));
  for (const char* bad : {"-1", "1.5", "184467440737095516150", "1e30", "true", "\"1\""}) {
    CHECK_THAT(reason(bad, "2"), ContainsSubstring("not a whole number"));
    CHECK_THAT(reason("1", bad), ContainsSubstring("not a whole number"));
  }
}
