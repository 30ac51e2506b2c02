#include "dualagent/report/report_json.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;
using Json = nlohmann::ordered_json;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

Json parsed(const ReportData& data, std::size_t most_points = 500) {
  return Json::parse(report_json(data, most_points));
}

MetricsRecord record(std::uint64_t step, std::vector<std::pair<std::string, double>> numbers) {
  return {.step = step, .numbers = std::move(numbers), .texts = {}};
}

Json run_of(std::vector<MetricsRecord> records, std::size_t most_points = 500) {
  return parsed({.runs = {{.name = "r", .records = std::move(records)}}}, most_points)["runs"][0];
}

}  // namespace

TEST_CASE("the data of nothing has all its keys", "[report][json]") {
  CHECK(parsed({}) == Json::parse(R"({
    "title": "Training report", "subtitle": "", "headline_figure": "", "headline": "",
    "command": "", "parameters": [], "rows": [], "rows_note": "",
    "main_curve": {"metric": "reward_mean", "title": "Reward",
                   "caption": "mean of the step's rollouts", "unit": "number", "mean_of": 1},
    "runs": [], "episodes": [], "finished": true})"));
}

TEST_CASE("rows carry counts, fractions, Wilson intervals and failures", "[report][json]") {
  const Json data = parsed({.parameters = {{"seed", "7"}},
                            .rows = {{.name = "dual",
                                      .label = "both trained",
                                      .note = "8 steps",
                                      .sampled = {198, 200},
                                      .failures_sampled = {{"forgot", 2}},
                                      .tokens_per_task = 12.5}},
                            .rows_note = "one seed"});
  CHECK(data["parameters"] == Json::parse(R"([["seed", "7"]])"));
  CHECK(data["rows_note"] == "one seed");
  const Json& row = data["rows"][0];
  CHECK(row["name"] == "dual");
  CHECK(row["title"] == "both trained");
  CHECK(row["note"] == "8 steps");
  CHECK(row["sampled"]["solved"] == 198);
  CHECK(row["sampled"]["tasks"] == 200);
  CHECK(row["sampled"]["fraction"] == 0.99);
  CHECK(row["sampled"]["low"].get<double>() == Approx(0.9643).margin(1e-4));  // Wilson, by hand
  CHECK(row["sampled"]["high"].get<double>() == Approx(0.9973).margin(1e-4));
  CHECK(row["greedy"].is_null());
  CHECK(row["failures_sampled"] == Json::parse(R"([["forgot", 2]])"));
  CHECK(row["tokens_per_task"] == 12.5);
  CHECK(row["seconds"].is_null());
}

TEST_CASE("the headline is the first row's greedy success unless it is given", "[report][json]") {
  ReportData data{.rows = {{.name = "dual", .sampled = {150, 200}, .greedy = {198, 200}}}};
  CHECK(parsed(data)["headline_figure"] == "99.0 %");
  CHECK(parsed(data)["headline"] ==
        "of 200 held-out tasks solved: dual, greedy, 95 % interval 96.4 to 99.7 %.");
  data.headline_figure = "2x";
  data.headline = "faster";
  CHECK(parsed(data)["headline_figure"] == "2x");
  CHECK(parsed(data)["headline"] == "faster");
}

TEST_CASE("a run has one column for every number that any step has", "[report][json]") {
  const Json run = run_of({record(0, {{"loss", 2}, {"new_metric", kNan}}),
                           record(1, {{"loss", 1}, {"new_metric", 0.25}, {"kl", 3}}),
                           record(2, {{"loss", 0.5}, {"new_metric", 0.5}})});
  CHECK(run == Json::parse(R"({
    "name": "r", "group": "", "steps_per_point": 1, "steps": [0, 1, 2], "seconds": null,
    "columns": [{"name": "loss", "values": [2.0, 1.0, 0.5]},
                {"name": "new_metric", "values": [null, 0.25, 0.5]},
                {"name": "kl", "values": [3.0], "at": [1]}]})"));
}

TEST_CASE("the wall clock adds up what the parts of the steps took", "[report][json]") {
  const auto parts = [](double a, double b, double c) {
    return std::vector<std::pair<std::string, double>>{
        {"rollout_seconds", a}, {"score_seconds", b}, {"update_seconds", c}};
  };
  CHECK(run_of({record(0, parts(1, 0.5, 0.25)), record(1, parts(2, 0, 1))})["seconds"] ==
        Json::array({1.75, 4.75}));
  CHECK(run_of({record(3, {{"elapsed_seconds", 60}, {"rollout_seconds", 1}}),
                record(4, {{"elapsed_seconds", 90}, {"rollout_seconds", 1}})})["seconds"] ==
        Json::array({60.0, 90.0}));
  CHECK(run_of({record(0, parts(1, 1, 1)), record(1, {})})["seconds"].is_null());
}

TEST_CASE("a long run is thinned to means, and to maxima where the name says so",
          "[report][json]") {
  std::vector<MetricsRecord> records;
  for (std::size_t i = 0; i < 7; ++i)
    records.push_back(record(i, {{"loss", static_cast<double>(i)},
                                 {"max_abs_log_ratio", i == 1 ? 0.5 : 0.0},
                                 {"rollout_seconds", 2}}));
  const Json run = run_of(records, 3);  // 7 steps in 3 points: 3 + 3 + 1
  CHECK(run["steps_per_point"] == 3);
  CHECK(run["steps"] == Json::array({2, 5, 6}));
  CHECK(run["seconds"] == Json::array({6.0, 12.0, 14.0}));
  CHECK(run["columns"][0]["values"] == Json::array({1.0, 4.0, 6.0}));
  CHECK(run["columns"][1]["values"] == Json::array({0.5, 0.0, 0.0}));
  CHECK(run_of(records, 7)["steps_per_point"] == 1);
}

TEST_CASE("a value that is not finite is left out of a thinned point", "[report][json]") {
  const Json run = run_of({record(0, {{"a", kNan}}), record(1, {{"a", 4}}),
                           record(2, {{"a", kNan}}), record(3, {{"a", kNan}})},
                          2);
  CHECK(run["columns"][0]["values"] == Json::parse("[4.0, null]"));
}

TEST_CASE("an episode keeps where every token came from", "[report][json]") {
  ReportEpisode episode{.task = "t", .stage = "after", .solved = true, .reward = 1};
  ReportSegment first;
  first.spans = {{.text = "question", .tokens = 2},
                 {.provenance = Provenance::sampled,
                  .agent = AgentRole::summarizer,
                  .text = "short",
                  .tokens = 3,
                  .trained = true,
                  .weight_versions = {{5, 1}, {6, 2}},
                  .mean_log_prob = -0.5}};
  ReportSegment second{
      .owner = AgentRole::answerer, .parent = 0, .replacement = Replacement{0, 30, 3}};
  episode.segments = {first, second};
  CHECK(parsed({.episodes = {episode}})["episodes"] == Json::parse(R"([{
    "task": "t", "stage": "after", "solved": true, "ending": "", "answer": "", "expected": "",
    "reward": 1.0, "segments": [
      {"owner": "answerer", "spans": [
        {"provenance": "prompt", "agent": "answerer", "trained": false, "tokens": 2,
         "text": "question"},
        {"provenance": "sampled", "agent": "summarizer", "trained": true, "tokens": 3,
         "text": "short",
         "weight_versions": [{"version": 5, "tokens": 1}, {"version": 6, "tokens": 2}],
         "mean_log_prob": -0.5}]},
      {"owner": "answerer", "parent": 0,
       "replacement": {"dropped_tokens": 30, "summary_tokens": 3}, "spans": []}]}])"));
}

TEST_CASE("texts become valid UTF-8 that cannot end a script element", "[report][json]") {
  const std::string json = report_json({.title = "</script><!-- \xFF\x1b\"\\ \xE2\x80\xA8 \n"});
  CHECK(json.find('<') == std::string::npos);
  CHECK(json.find('\n') == std::string::npos);
  CHECK(Json::parse(json)["title"] == "</script><!-- \xEF\xBF\xBD\\x1b\"\\ \\u{2028} \n");
}

TEST_CASE("an impossible count is refused instead of shown", "[report][json]") {
  CHECK_THROWS_AS(report_json({.rows = {{.name = "a", .greedy = {3, 2}}}}), Error);
}
