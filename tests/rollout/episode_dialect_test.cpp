#include "dualagent/rollout/episode_dialect.hpp"

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

/// Everything it is asked throws.
struct Broken {
  std::vector<Token> prompt(const Task&) const { throw std::runtime_error("no"); }
  StopRule turn_stop() const { throw std::runtime_error("no"); }
  StopRule summary_stop() const { throw std::runtime_error("no"); }
  Turn parse_turn(std::span<const Token>) const { throw std::runtime_error("no"); }
  std::vector<Token> observation(std::span<const std::string>) const {
    throw std::runtime_error("no");
  }
  std::optional<std::vector<Token>> correction(const MalformedTurn&) const {
    throw std::runtime_error("no");
  }
  std::vector<Token> summary_request() const { throw std::runtime_error("no"); }
  std::optional<std::string> check_summary(std::span<const Token>) const {
    throw std::runtime_error("no");
  }
  std::vector<Token> present_summary(std::span<const Token>) const {
    throw std::runtime_error("no");
  }
};

}  // namespace

TEST_CASE("each member of a dialect is named when it throws", "[rollout]") {
  Rollout rollout;
  rollout.task_id = "t";
  rollout.member = 3;
  const Broken broken;
  const EpisodeDialect dialect(broken, rollout);
  const auto named = [&](const char* member, auto&& call) {
    CHECK_THAT(error_of(call),
               ContainsSubstring("a dialect's " + std::string(member) +
                                 " threw std::runtime_error: no (task 't', rollout 3)"));
  };
  const std::vector<Token> said{1};
  named("prompt", [&] { dialect.prompt({}); });
  named("turn_stop", [&] { dialect.turn_stop(); });
  named("summary_stop", [&] { dialect.summary_stop(); });
  named("parse_turn", [&] { dialect.parse_turn(said); });
  named("observation", [&] { dialect.observation({}, said); });
  named("correction", [&] { dialect.correction({}, said); });
  named("summary_request", [&] { dialect.summary_request(); });
  named("check_summary", [&] { dialect.check_summary(said); });
  named("present_summary", [&] { dialect.present_summary(said); });
  CHECK(dialect.turn_opening({}).empty());  // the dialect has no such member
}
