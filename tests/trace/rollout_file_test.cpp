#include "dualagent/trace/rollout_file.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

std::string letter(Token token) { return std::string(1, static_cast<char>('a' + token)); }

Rollout short_rollout(double reward) {
  Rollout rollout{.task_id = "t", .member = 1, .ending = "answered", .answer = "c\n"};
  rollout.reward = reward;
  Segment segment;
  segment.context.append(Provenance::prompt, std::vector<Token>{0, 1});
  segment.context.append(
      BackendAccess::sampled(AgentRole::answerer, {5, 5, 6}, {2, 3, 2}, {-0.1F, -0.2F, -0.3F}));
  rollout.segments = {segment};
  return rollout;
}

}  // namespace

TEST_CASE("a line of rollouts shows people who made which tokens", "[trace]") {
  const nlohmann::json line = nlohmann::json::parse(rollout_line(short_rollout(0.5), letter));
  CHECK(line["task"] == "t");
  CHECK(line["member"] == 1);
  CHECK(line["status"] == "finished");
  CHECK(line["answer"] == "c\\n");
  CHECK(line["reward"] == 0.5);
  CHECK(!line.contains("fork"));
  CHECK(line["segments"].size() == 1);
  const nlohmann::json& spans = line["segments"][0]["spans"];
  CHECK(spans[0]["provenance"] == "prompt");
  CHECK(spans[0]["text"] == "a b");
  CHECK(!spans[0].contains("log_probs"));
  CHECK(spans[1]["provenance"] == "sampled");
  CHECK(spans[1]["weight_versions"] ==
        nlohmann::json::parse(R"([{"version": 5, "tokens": 2}, {"version": 6, "tokens": 1}])"));
  CHECK(!spans[0].contains("weight_versions"));
  CHECK(spans[1]["tokens"] == nlohmann::json{2, 3, 2});
  CHECK(spans[1]["log_probs"][0].get<float>() == -0.1F);
  CHECK(!spans[1].contains("drawn_log_probs"));
  Rollout cut = short_rollout(0.5);
  cut.segments[0].context.append(
      BackendAccess::sampled(AgentRole::answerer, 5, {2}, {-1.0F}, {-0.5F}));
  const nlohmann::json two = nlohmann::json::parse(rollout_line(cut, letter));
  CHECK(!two["segments"][0]["spans"][1].contains("drawn_log_probs"));
  CHECK(two["segments"][0]["spans"][2]["drawn_log_probs"] == nlohmann::json{-0.5F});
}

TEST_CASE("rollouts of a file come back bit by bit, in order", "[trace]") {
  TemporaryFolder folder;
  const std::vector<Rollout> rollouts{short_rollout(0.1), short_rollout(-2.0)};
  write_rollouts(folder / "r.jsonl", rollouts, letter);
  const std::vector<Rollout> again = read_rollouts(folder / "r.jsonl");
  REQUIRE(again.size() == 2);
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(encode_rollout(again[i]) == encode_rollout(rollouts[i]));
}

TEST_CASE("a line that holds no whole rollout is refused with file and line", "[trace]") {
  TemporaryFolder folder;
  const std::string good = rollout_line(short_rollout(1.0), letter);
  const auto refused = [&](const std::string& line, const std::string& why) {
    write_file_atomically(folder / "r.jsonl", good + "\n\n" + line + "\n");
    CHECK_THAT(error_of([&] { read_rollouts(folder / "r.jsonl"); }),
               ContainsSubstring("r.jsonl:3") && ContainsSubstring(why));
  };
  refused("{}", "no text \"codec\"");
  refused("[1]", "no text \"codec\"");
  refused(R"({"codec": 3})", "no text \"codec\"");
  refused(R"({"codec": "AAAA"})", "not an encoded rollout");
  refused(R"({"codec": "A"})", "base64");
  refused(good.substr(0, good.size() - 9), "JSON");
  std::string changed = good;
  changed[good.size() - 12] = changed[good.size() - 12] == 'A' ? 'B' : 'A';
  refused(changed, "damaged");
}
