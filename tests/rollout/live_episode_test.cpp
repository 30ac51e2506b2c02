#include "dualagent/rollout/live_episode.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

auto protocol() {
  return Protocol{toy::Dialect{}, toy::Tools{}, Never{}, ReplaceBySummary{},
                  RolloutLimits{.max_context_tokens = 32}};
}
using Live = detail::LiveEpisode<decltype(protocol()), SummaryWindow::shared>;

}  // namespace

TEST_CASE("a live episode begins with its task and names its contexts by ticket and segment",
          "[rollout]") {
  const auto rules = protocol();
  const Task task{.id = "t", .prompt = "12", .answer = "5"};
  const RandomStream random = RandomStream::from_seed(4);
  Live live(rules, {7, {&task, 2, 3}, {{0.5F}, {}}, random}, nullptr);
  CHECK(!live.ended());
  CHECK(live.random == random);
  CHECK(live.sampling.answerer.temperature == 0.5F);
  CHECK(live.channel.rollout().group == 2);
  CHECK(live.channel.rollout().member == 3);
  CHECK(live.channel.max_context_tokens() == 32);
  live.episode.resume();
  const auto context = live.context(0);
  CHECK(std::vector<Token>(context.begin(), context.end()) ==
        std::vector<Token>{toy::bos, toy::digit(1), toy::digit(2)});
  CHECK(live.sequence(0) != live.sequence(1));
  CHECK(Live::ticket_of(live.sequence(0)) == 7);
  CHECK(Live::ticket_of(live.sequence(1000)) == 7);
}

TEST_CASE("a live episode has ended when its rollout was aborted", "[rollout]") {
  const auto rules = protocol();
  const Task task{.id = "t", .prompt = "1", .answer = "5"};
  Live live(rules, {0, {&task}, {}, RandomStream::from_seed(4)}, nullptr);
  live.episode.resume();
  CHECK(!live.ended());
  live.channel.abort("the server is gone");
  CHECK(live.ended());
}
